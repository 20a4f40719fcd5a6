# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of every error that is shown to a user as one line."""


class BandmateError(Exception):
    """Something a user can act on. The message says what happened and what to do.

    Attributes:
        exit_code: status of a command that ends with this error.
    """

    exit_code = 1

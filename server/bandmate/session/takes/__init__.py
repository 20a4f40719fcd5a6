# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes: the last minutes of what a session has played, with its notes."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""One plugin instance seen from the server: from time-stamped events to conditioning and sound."""

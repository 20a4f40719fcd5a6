# SPDX-License-Identifier: GPL-3.0-or-later
"""What several test folders share: a private place to run in, and hosts to run the plugin in."""

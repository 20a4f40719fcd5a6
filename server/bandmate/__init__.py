# SPDX-License-Identifier: GPL-3.0-or-later
"""Bandmate: a live music model as an instrument in any DAW (server side)."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("bandmate")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+source"

# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the models against recorded results of the reference implementation."""

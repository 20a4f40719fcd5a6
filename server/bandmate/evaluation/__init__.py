# SPDX-License-Identifier: GPL-3.0-or-later
"""The yardstick: how well a bundle plays held-out music, measured part by part."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Magenta RealTime 2: the official models on top of the depthformer."""

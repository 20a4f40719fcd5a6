# SPDX-License-Identifier: GPL-3.0-or-later
"""Where training audio comes from: soundfonts, and synthesis of our own.

Every source turns notes (see notes.py) into stereo audio whose time zero is that of the notes, at
about the same level. One file a way of making sound.
"""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Playing without a DAW: MIDI or computer keys in, the sound card out."""

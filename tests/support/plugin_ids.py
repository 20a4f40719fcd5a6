# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts know the plugin by. Songs refer to these, so they never change."""

LV2_URI = "https://bandmate.org/plugins/bandmate"
# JUCE's prefix for a VST3 component, then the manufacturer and plugin codes "Bndm" and "Bdm1"
VST3_CLASS_ID = "ABCDEF019182FAEB" + b"BndmBdm1".hex().upper()

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <juce_gui_basics/juce_gui_basics.h>

#include <functional>

namespace bandmate::plugin
{

// Words that make a good style, by chance.
juce::String random_suggestion();

// Such words by family, and some by chance.
juce::PopupMenu suggestion_menu (std::function<void (const juce::String&)> on_choose);

} // namespace bandmate::plugin

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/link/link_status.hpp>

#include <juce_core/juce_core.h>

namespace bandmate::plugin
{

// What the link does, in words.
juce::String words_for (const link::LinkStatus& status);

// The problem and what to do about it, or what the link does when there is none.
juce::String status_text (const link::LinkStatus& status);

// A text that holds paths, with ~ for the user's home folder.
juce::String with_short_paths (const juce::String& text);

} // namespace bandmate::plugin

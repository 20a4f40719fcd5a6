// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "session_state.hpp"

namespace bandmate::plugin
{

inline const juce::String prompt_tag = "prompt";

// At most `bytes_maximum` bytes of UTF-8, never half a character.
std::string cut_text (const juce::String& text, size_t bytes_maximum);

// The six slots as children of `parent`: text, sound, place on the surface. States and presets share them.
void add_prompts (juce::XmlElement& parent, const SessionState& session);

// The other way round, into `session`; slots that are not there stay as they are. What is too long is cut,
// what lies beside the surface comes to its edge.
void read_prompts (const juce::XmlElement& parent, SessionState& session);

} // namespace bandmate::plugin

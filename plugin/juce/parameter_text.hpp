// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/protocol/parameters.hpp>

#include <juce_audio_processors/juce_audio_processors.h>

namespace bandmate::plugin
{

// The name of a parameter that goes to the server, as users read it.
juce::String parameter_title (protocol::ParameterId id);

// How values are written and read. Hosts put the label after the text; what is typed may have it or not.
juce::AudioParameterFloatAttributes with_decimals (int decimals);
juce::AudioParameterFloatAttributes as_percent(); // of values 0..1

} // namespace bandmate::plugin

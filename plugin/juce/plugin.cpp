// SPDX-License-Identifier: GPL-3.0-or-later
#include "processor.hpp"

juce::AudioProcessor* JUCE_CALLTYPE createPluginFilter()
{
    return new bandmate::plugin::Processor();
}

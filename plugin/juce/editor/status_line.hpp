// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <juce_gui_basics/juce_gui_basics.h>

namespace bandmate::plugin
{

class Processor;

// What the engine does, in words and figures: phase, model, latency, frame time, underruns, and what to do if it fails.
class StatusLine : public juce::Component
{
public:
    void update (const Processor& processor);
    void paint (juce::Graphics& g) override;

private:
    juce::String summary_;
    juce::String problem_;
};

} // namespace bandmate::plugin

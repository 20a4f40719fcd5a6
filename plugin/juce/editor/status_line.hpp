// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/link/link_status.hpp>

#include <juce_gui_basics/juce_gui_basics.h>

namespace bandmate::plugin
{

class Processor;

// The problem and what to do about it, or what the link does when there is none.
juce::String status_text (const link::LinkStatus& status);

// What the engine does, in words and figures: phase, model, latency, frame time, underruns, and what to do if
// it fails.
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

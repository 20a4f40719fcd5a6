// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "theme.hpp"

namespace bandmate::plugin
{

class Processor;

// What the engine does, in words and figures: state, time a frame takes of what it may take, latency,
// underruns, the server's memory.
class StatusBar : public juce::Component, public juce::SettableTooltipClient
{
public:
    StatusBar();

    void refresh (const Processor& processor);
    void paint (juce::Graphics& g) override;

private:
    struct Shown
    {
        juce::String words;
        bool is_ready = false;
        bool is_failed = false;
        double frame_ms = 0.0;      // median; 0: not known yet
        double frame_high_ms = 0.0; // 99th percentile
        double frame_limit_ms = 0.0;
        double latency_ms = 0.0;
        juce::int64 underruns = 0;
        double memory_mb = 0.0; // 0: not known

        bool operator== (const Shown& other) const;
    };

    Shown shown_;
};

} // namespace bandmate::plugin

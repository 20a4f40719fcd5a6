// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "level_meter.hpp"

#include <juce_audio_basics/juce_audio_basics.h>

namespace bandmate::plugin
{

// What happens to the sound behind the model: volume, mute and bypass as one gain that never steps, then the
// limiter, then the meter. Owned by the audio thread but for meter(). Adds no latency.
class OutputStage
{
public:
    // Not while a block is processed. The gain begins where it is wanted.
    void prepare (double sample_rate, float gain, bool limits) noexcept;

    // `gain`: linear; `limits`: whether the limiter is on. Neither steps when it changes.
    void process (juce::AudioBuffer<float>& buffer, float gain, bool limits) noexcept;

    LevelMeter& meter() noexcept { return meter_; }

private:
    void limit (float* left, float* right, int count) noexcept;

    juce::SmoothedValue<float> gain_;
    juce::SmoothedValue<float> limiting_; // 0: off, 1: on
    LevelMeter meter_;
};

} // namespace bandmate::plugin

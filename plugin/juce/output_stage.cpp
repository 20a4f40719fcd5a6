// SPDX-License-Identifier: GPL-3.0-or-later
#include "output_stage.hpp"

#include "soft_limiter.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr double ramp_seconds = 0.02;

// Whether the limiter would change anything: hardly ever. True for what is not a number.
bool is_past_knee (const float* samples, int count) noexcept
{
    unsigned past = 0; // no early end: so the loop is a few vector instructions
    for (int i = 0; i < count; ++i)
        past |= static_cast<unsigned> (!(std::abs (samples[i]) <= limiter_knee));
    return past != 0;
}

} // namespace

void OutputStage::prepare (double sample_rate, float gain, bool limits) noexcept
{
    gain_.reset (sample_rate, ramp_seconds);
    gain_.setCurrentAndTargetValue (gain);
    limiting_.reset (sample_rate, ramp_seconds);
    limiting_.setCurrentAndTargetValue (limits ? 1.0f : 0.0f);
    meter_.prepare (sample_rate);
}

void OutputStage::process (juce::AudioBuffer<float>& buffer, float gain, bool limits) noexcept
{
    gain_.setTargetValue (gain);
    limiting_.setTargetValue (limits ? 1.0f : 0.0f);
    const int count = buffer.getNumSamples();
    gain_.applyGain (buffer, count);
    if (buffer.getNumChannels() < LevelMeter::channels)
        return;

    auto* left = buffer.getWritePointer (0);
    auto* right = buffer.getWritePointer (1);
    if (is_past_knee (left, count) || is_past_knee (right, count))
        limit (left, right, count);
    else
        limiting_.skip (count);
    meter_.measure (0, left, count);
    meter_.measure (1, right, count);
}

void OutputStage::limit (float* left, float* right, int count) noexcept
{
    bool is_over = false;
    for (int i = 0; i < count; ++i)
    {
        is_over |= std::abs (left[i]) > 1.0f || std::abs (right[i]) > 1.0f;
        const float share = limiting_.getNextValue();
        if (share <= 0.0f)
            continue;
        // Not x + share * (limited - x): it would round what the limiter leaves alone.
        const auto mix = [share] (float dry, float limited)
        {
            return share >= 1.0f || limited == dry ? limited : dry + share * (limited - dry);
        };
        left[i] = mix (left[i], soft_limit (left[i]));
        right[i] = mix (right[i], soft_limit (right[i]));
    }
    if (is_over)
        meter_.mark_over();
}

} // namespace bandmate::plugin

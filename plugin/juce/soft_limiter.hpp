// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>

namespace bandmate::plugin
{

inline constexpr float limiter_knee = 0.89125094f; // -1 dBFS: below it nothing changes

// Bends what is louder than the knee so that it never passes full scale; what is not a number is silence. It
// has no memory and looks at no later sample, so it adds no latency.
inline float soft_limit (float sample) noexcept
{
    const float level = std::abs (sample);
    if (level <= limiter_knee)
        return sample;
    if (std::isnan (sample))
        return 0.0f;
    constexpr float room = 1.0f - limiter_knee;
    // The slope is 1 at the knee, so that there is no corner to be heard.
    const float bent = std::fmin (limiter_knee + room * std::tanh ((level - limiter_knee) / room), 1.0f);
    return std::copysign (bent, sample);
}

} // namespace bandmate::plugin

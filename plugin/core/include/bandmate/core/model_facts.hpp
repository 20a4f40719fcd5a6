// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace bandmate::core
{

// What the plugin must know of a model before any server runs. Written by the server into engine.json.
struct ModelFacts
{
    std::string name;
    uint32_t sample_rate_hz = 0;
    uint32_t frame_samples = 0; // F, per channel
    uint32_t channels = 0;
    uint32_t delay_samples = 0; // D, the model's own constant delay
    double budget_ms = 0.0;     // time this machine needs for one frame

    bool same_grid (const ModelFacts& other) const noexcept
    {
        return sample_rate_hz == other.sample_rate_hz && frame_samples == other.frame_samples &&
               channels == other.channels && delay_samples == other.delay_samples;
    }
};

} // namespace bandmate::core

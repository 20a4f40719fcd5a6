// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/protocol/parameters.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace bandmate::core
{

// Values of all parameters, by id.
using ParameterValues = std::array<double, protocol::parameter_count>;

inline ParameterValues initial_values() noexcept
{
    ParameterValues values{};
    for (uint32_t id = 0; id < protocol::parameter_count; ++id)
        values[id] = protocol::parameters[id].initial;
    return values;
}

// What the plugin must know of a model before any server runs. Written by the server into engine.json.
struct ModelFacts
{
    std::string name;
    uint32_t sample_rate_hz = 0;
    uint32_t frame_samples = 0; // F, per channel
    uint32_t channels = 0;
    uint32_t delay_samples = 0; // D, the model's own constant delay
    double budget_ms = 0.0;     // time the server's machine needs for one frame
    double network_ms = 0.0;    // there and back between this machine and the server's; 0: they are one
    ParameterValues defaults = initial_values();

    bool same_grid (const ModelFacts& other) const noexcept
    {
        return sample_rate_hz == other.sample_rate_hz && frame_samples == other.frame_samples &&
               channels == other.channels && delay_samples == other.delay_samples;
    }
};

} // namespace bandmate::core

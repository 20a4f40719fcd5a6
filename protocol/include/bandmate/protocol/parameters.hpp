// SPDX-License-Identifier: Apache-2.0
// The parameters a PARAM event may set: ids, names, ranges and defaults, defined here only.
#pragma once

#include <cmath>
#include <cstdint>

namespace bandmate::protocol
{

// Ids go over the wire and into saved projects: never renumber, only append.
enum class ParameterId : std::uint32_t
{
    style_weight_0 = 0,
    style_weight_1 = 1,
    style_weight_2 = 2,
    style_weight_3 = 3,
    style_weight_4 = 4,
    style_weight_5 = 5,
    temperature = 6,
    top_k = 7,
    guidance_style = 8,
    guidance_notes = 9,
    guidance_drums = 10,
    drums = 11,
    strum = 12,
    midi_gate = 13,
    unmask_width = 14,
    seed = 15,
    timing = 16,
    logit_guidance = 17,
};

struct Parameter
{
    ParameterId id;
    const char* name;
    double minimum;
    double maximum;
    double initial;
    bool is_whole; // only whole numbers are legal
};

inline constexpr double seed_maximum = 2147483647.0;

// Entry i has id i.
inline constexpr Parameter parameters[] = {
    {ParameterId::style_weight_0, "style_weight_0", 0.0, 1.0, 1.0, false},
    {ParameterId::style_weight_1, "style_weight_1", 0.0, 1.0, 0.0, false},
    {ParameterId::style_weight_2, "style_weight_2", 0.0, 1.0, 0.0, false},
    {ParameterId::style_weight_3, "style_weight_3", 0.0, 1.0, 0.0, false},
    {ParameterId::style_weight_4, "style_weight_4", 0.0, 1.0, 0.0, false},
    {ParameterId::style_weight_5, "style_weight_5", 0.0, 1.0, 0.0, false},
    {ParameterId::temperature, "temperature", 0.0, 3.0, 0.1, false},
    {ParameterId::top_k, "top_k", 1.0, 1024.0, 40.0, true},
    {ParameterId::guidance_style, "guidance_style", -1.0, 7.0, 3.0, false},
    {ParameterId::guidance_notes, "guidance_notes", -1.0, 7.0, 1.0, false},
    {ParameterId::guidance_drums, "guidance_drums", -1.0, 7.0, 1.0, false},
    {ParameterId::drums, "drums", 0.0, 1.0, 1.0, true},         // 0: none, 1: the model is free to drum
    {ParameterId::strum, "strum", 0.0, 1.0, 0.0, true},         // 1: held notes may be struck again
    {ParameterId::midi_gate, "midi_gate", 0.0, 1.0, 0.0, true}, // 1: silence while no note is held
    {ParameterId::unmask_width, "unmask_width", 0.0, 127.0, 127.0,
     true}, // pitches beside a held one forced off; 127: nothing but what is played
    {ParameterId::seed, "seed", 0.0, seed_maximum, 0.0, true},
    {ParameterId::timing, "timing", 0.0, 1.0, 0.0, true},                 // 0: tight, 1: early
    {ParameterId::logit_guidance, "logit_guidance", 0.0, 1.0, 0.0, true}, // 1: guide the logits too
};

inline constexpr std::uint32_t parameter_count = sizeof (parameters) / sizeof (parameters[0]);

// True if a PARAM event may carry this pair.
inline bool is_legal_parameter (std::uint32_t id, double value) noexcept
{
    if (id >= parameter_count || !std::isfinite (value))
        return false;
    const auto& p = parameters[id];
    return value >= p.minimum && value <= p.maximum && (!p.is_whole || value == std::floor (value));
}

} // namespace bandmate::protocol

// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"

#include <bandmate/core/latency.hpp>

using bandmate::core::latency;

namespace
{

struct Row
{
    double host_rate_hz;
    uint32_t max_block;
    uint32_t model_delay;
    uint32_t resampler_ahead;
    double budget_ms;
    int frame, block, budget, margin, model, resampler, total;
};

// The specification: a model of 48 kHz and 1920 samples a frame, a margin of 10 ms.
constexpr Row table[] = {
    // host     block  D    ahead budget  frame block budget margin model resampler total
    {48000.0, 512, 0, 0, 20.0, 1920, 512, 960, 480, 0, 0, 3872},
    {48000.0, 1, 0, 0, 20.0, 1920, 1, 960, 480, 0, 0, 3361},
    {48000.0, 8192, 0, 0, 20.0, 1920, 8192, 960, 480, 0, 0, 11552},
    {48000.0, 512, 960, 0, 0.0, 1920, 512, 0, 480, 960, 0, 3872},
    {44100.0, 512, 0, 51, 20.0, 1764, 512, 882, 441, 0, 47, 3646},
    {44100.0, 333, 961, 51, 20.0, 1764, 333, 882, 441, 883, 47, 4350},
    {88200.0, 1024, 0, 48, 20.0, 3528, 1024, 1764, 882, 0, 89, 7287},
    {96000.0, 256, 480, 48, 33.3, 3840, 256, 3197, 960, 960, 96, 9309},
};

} // namespace

TEST_CASE ("Latency is the sum of its terms")
{
    for (const auto& row : table)
    {
        bandmate::core::LatencyInput input;
        input.host_rate_hz = row.host_rate_hz;
        input.max_block_samples = row.max_block;
        input.model_rate_hz = 48000.0;
        input.frame_samples = 1920;
        input.model_delay_samples = row.model_delay;
        input.resampler_ahead_samples = row.resampler_ahead;
        input.budget_ms = row.budget_ms;
        input.margin_ms = 10.0;
        const auto terms = latency (input);

        CAPTURE (row.host_rate_hz, row.max_block, row.model_delay);
        CHECK (terms.frame == row.frame);
        CHECK (terms.block == row.block);
        CHECK (terms.budget == row.budget);
        CHECK (terms.margin == row.margin);
        CHECK (terms.model == row.model);
        CHECK (terms.resampler == row.resampler);
        CHECK (terms.total() == row.total);
    }
}

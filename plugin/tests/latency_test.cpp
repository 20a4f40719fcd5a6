// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"

#include <bandmate/core/latency.hpp>

using bandmate::core::latency;
using bandmate::core::latency_choice;
using bandmate::core::LatencyChoice;

namespace
{

struct Row
{
    double host_rate_hz;
    uint32_t max_block;
    uint32_t model_delay;
    uint32_t resampler_ahead;
    double budget_ms, network_ms;
    int frame, block, budget, network, margin, model, resampler, total;
};

// The specification: a model of 48 kHz and 1920 samples a frame, a margin of 10 ms.
constexpr Row table[] = {
    // host     block  D    ahead budget net   frame block budget net margin model resampler total
    {48000.0, 512, 0, 0, 20.0, 0.0, 1920, 512, 960, 0, 480, 0, 0, 3872},
    {48000.0, 1, 0, 0, 20.0, 0.0, 1920, 1, 960, 0, 480, 0, 0, 3361},
    {48000.0, 8192, 0, 0, 20.0, 0.0, 1920, 8192, 960, 0, 480, 0, 0, 11552},
    {48000.0, 512, 960, 0, 0.0, 0.0, 1920, 512, 0, 0, 480, 960, 0, 3872},
    {44100.0, 512, 0, 51, 20.0, 0.0, 1764, 512, 882, 0, 441, 0, 47, 3646},
    {44100.0, 333, 961, 51, 20.0, 0.0, 1764, 333, 882, 0, 441, 883, 47, 4350},
    {88200.0, 1024, 0, 48, 20.0, 0.0, 3528, 1024, 1764, 0, 882, 0, 89, 7287},
    {96000.0, 256, 480, 48, 33.3, 0.0, 3840, 256, 3197, 0, 960, 960, 96, 9309},
    // A server on another machine
    {48000.0, 512, 0, 0, 20.0, 12.5, 1920, 512, 960, 600, 480, 0, 0, 4472},
    {44100.0, 333, 961, 51, 20.0, 43.21, 1764, 333, 882, 1906, 441, 883, 47, 6256},
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
        input.network_ms = row.network_ms;
        input.margin_ms = 10.0;
        const auto terms = latency (input);

        CAPTURE (row.host_rate_hz, row.max_block, row.model_delay);
        CHECK (terms.frame == row.frame);
        CHECK (terms.block == row.block);
        CHECK (terms.budget == row.budget);
        CHECK (terms.network == row.network);
        CHECK (terms.margin == row.margin);
        CHECK (terms.model == row.model);
        CHECK (terms.resampler == row.resampler);
        CHECK (terms.total() == row.total);
    }
}

namespace
{

bandmate::core::LatencyInput measured()
{
    bandmate::core::LatencyInput input;
    input.host_rate_hz = input.model_rate_hz = 48000.0;
    input.max_block_samples = 128;
    input.frame_samples = 1920;
    input.model_delay_samples = 480;
    input.budget_ms = 10.0;
    return input;
}

} // namespace

TEST_CASE ("A latency mode decides about budget and margin alone")
{
    constexpr int others = 1920 + 128 + 480;
    const struct
    {
        const char* word;
        int budget, margin;
    } rows[] = {
        {"low", 480, 96}, {"auto", 480, 192}, {"safe", 720, 480}, {"", 480, 192}, {"nonsense", 480, 192}};
    for (const auto& row : rows)
    {
        CAPTURE (row.word);
        const auto terms = latency (measured(), latency_choice (row.word));
        CHECK (terms.budget == row.budget);
        CHECK (terms.margin == row.margin);
        CHECK (terms.total() == others + row.budget + row.margin);
    }
}

TEST_CASE ("A latency in milliseconds is the whole, as far as it can be")
{
    // What cannot be shortened is 52.7 ms
    CHECK (latency (measured(), latency_choice ("80")).total() == 3840);
    CHECK (latency (measured(), latency_choice ("80")).budget == 480);
    CHECK (latency (measured(), latency_choice ("55")).total() == 2640);
    CHECK (latency (measured(), latency_choice ("55")).margin == 0);
    CHECK (latency (measured(), latency_choice ("1")).total() == 1920 + 128 + 480);
    CHECK (latency_choice ("1e9").total_ms == bandmate::core::latency_ms_maximum);
    CHECK (latency_choice ("-5").total_ms == bandmate::core::latency_ms_minimum);
    CHECK (latency_choice ("inf").mode == LatencyChoice::Mode::automatic);
    CHECK (latency_choice ("80 ms").mode == LatencyChoice::Mode::automatic);
}

TEST_CASE ("The way to another machine is a term of its own")
{
    auto input = measured();
    input.network_ms = 20.0;
    CHECK (latency (input, latency_choice ("auto")).network == 960);
    CHECK (latency (input, latency_choice ("low")).network == 960);
    CHECK (latency (input, latency_choice ("safe")).network == 1440);
    // A fixed latency pays for the frame first, then for the way, and keeps the rest
    const auto fixed = [&input] (const char* word)
    {
        return latency (input, latency_choice (word));
    };
    CHECK (fixed ("100").budget == 480);
    CHECK (fixed ("100").network == 960);
    CHECK (fixed ("100").margin == 4800 - 2528 - 480 - 960);
    CHECK (fixed ("70").network == 3360 - 2528 - 480);
    CHECK (fixed ("70").margin == 0);
    CHECK (fixed ("55").network == 0);
    CHECK (fixed ("100").total() == 4800);
}

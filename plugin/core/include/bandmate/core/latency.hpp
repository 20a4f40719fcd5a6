// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>

namespace bandmate::core
{

// All that the reported latency depends on. Fixed when the host prepares the plugin.
struct LatencyInput
{
    double host_rate_hz = 0.0;
    uint32_t max_block_samples = 0; // host samples
    double model_rate_hz = 0.0;
    uint32_t frame_samples = 0;           // model samples
    uint32_t model_delay_samples = 0;     // model samples
    uint32_t resampler_ahead_samples = 0; // model samples read beyond the one being played
    double budget_ms = 0.0;
    double margin_ms = 0.0;
};

// Each term in host samples, rounded up.
struct LatencyTerms
{
    int frame = 0;     // a frame can only start when all of its input is known
    int block = 0;     // input is known, and output needed, a block at a time
    int budget = 0;    // inference of one frame
    int margin = 0;    // scheduling jitter of two processes
    int model = 0;     // the model's own delay
    int resampler = 0; // what the resampler reads ahead

    constexpr int total() const noexcept { return frame + block + budget + margin + model + resampler; }
};

// Time set aside for jitter: wake-up of the server's threads and the host's own unevenness.
inline constexpr double default_margin_ms = 10.0;

// Why the sum is enough: frame k is complete when the plugin has published (k+1)F, which happens in a block
// that starts no later than (k+1)F. It is read first in the block whose end lies beyond kF + L - D - ahead,
// which starts after kF + L - D - ahead - block. Between the two lie at least L - F - block - D - ahead =
// budget + margin.
inline LatencyTerms latency (const LatencyInput& in) noexcept
{
    const auto host_samples = [&in] (double model_samples)
    {
        return static_cast<int> (std::ceil (model_samples * in.host_rate_hz / in.model_rate_hz - 1e-9));
    };
    const auto from_ms = [&in] (double ms)
    {
        return static_cast<int> (std::ceil (ms * 1e-3 * in.host_rate_hz - 1e-9));
    };

    LatencyTerms terms;
    terms.frame = host_samples (in.frame_samples);
    terms.block = static_cast<int> (in.max_block_samples);
    terms.budget = from_ms (in.budget_ms);
    terms.margin = from_ms (in.margin_ms);
    terms.model = host_samples (in.model_delay_samples);
    terms.resampler = host_samples (in.resampler_ahead_samples);
    return terms;
}

} // namespace bandmate::core

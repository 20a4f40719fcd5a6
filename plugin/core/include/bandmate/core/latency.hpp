// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

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
    double network_ms = 0.0;
    double margin_ms = 0.0;
};

// Each term in host samples, rounded up.
struct LatencyTerms
{
    int frame = 0;     // a frame can only start when all of its input is known
    int block = 0;     // input is known, and output needed, a block at a time
    int budget = 0;    // inference of one frame
    int network = 0;   // the way to a server on another machine and back, with its jitter
    int margin = 0;    // scheduling jitter of two processes
    int model = 0;     // the model's own delay
    int resampler = 0; // what the resampler reads ahead

    constexpr int total() const noexcept
    {
        return frame + block + budget + network + margin + model + resampler;
    }
};

// Why the sum is enough: frame k is complete when the plugin has published (k+1)F, which happens in a block
// that starts no later than (k+1)F. It is read first in the block whose end lies beyond kF + L - D - ahead,
// which starts after kF + L - D - ahead - block. Between the two lie at least L - F - block - D - ahead =
// budget + network + margin.
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
    terms.network = from_ms (in.network_ms);
    terms.margin = from_ms (in.margin_ms);
    terms.model = host_samples (in.model_delay_samples);
    terms.resampler = host_samples (in.resampler_ahead_samples);
    return terms;
}

// How much of the latency is reserve, as the user wants it. In a project and in the settings it is a word.
struct LatencyChoice
{
    enum class Mode
    {
        automatic, // what was measured here and room for ordinary jitter
        low,       // as little room as works on a machine that does nothing else
        safe,      // for a busy machine
        fixed,     // total_ms in all, wherever the machine can keep it
    };

    Mode mode = Mode::automatic;
    double total_ms = 0.0;
};

inline constexpr double latency_ms_minimum = 1.0;
inline constexpr double latency_ms_maximum = 2000.0;

// "auto", "low", "safe" or milliseconds; anything else is automatic.
inline LatencyChoice latency_choice (const std::string& word)
{
    using Mode = LatencyChoice::Mode;
    if (word == "low")
        return {Mode::low, 0.0};
    if (word == "safe")
        return {Mode::safe, 0.0};
    char* end = nullptr;
    const double ms = std::strtod (word.c_str(), &end);
    if (end == word.c_str() || *end != '\0' || !std::isfinite (ms))
        return {};
    return {Mode::fixed, std::clamp (ms, latency_ms_minimum, latency_ms_maximum)};
}

// The margin is for the jitter of two processes: the wake-up of the server's threads and the host's own
// unevenness. A safe budget is for a machine whose other work takes a share of the processor, a safe network
// for one that others use too.
inline constexpr double margin_low_ms = 2.0;
inline constexpr double margin_automatic_ms = 4.0;
inline constexpr double margin_safe_ms = 10.0;
inline constexpr double budget_factor_safe = 1.5;
inline constexpr double network_factor_safe = 1.5;

// `in.budget_ms` is what was measured; `in.margin_ms` is not used. A fixed total is never less than the terms
// that nothing can shorten; what it leaves is budget first, network then, and margin.
inline LatencyTerms latency (LatencyInput in, LatencyChoice choice) noexcept
{
    switch (choice.mode)
    {
    case LatencyChoice::Mode::automatic:
        in.margin_ms = margin_automatic_ms;
        break;
    case LatencyChoice::Mode::low:
        in.margin_ms = margin_low_ms;
        break;
    case LatencyChoice::Mode::safe:
        in.margin_ms = margin_safe_ms;
        in.budget_ms *= budget_factor_safe;
        in.network_ms *= network_factor_safe;
        break;
    case LatencyChoice::Mode::fixed:
    {
        in.margin_ms = 0.0;
        auto terms = latency (in);
        const auto wanted = static_cast<int> (std::ceil (choice.total_ms * 1e-3 * in.host_rate_hz - 1e-9));
        const int left = std::max (0, wanted - (terms.total() - terms.budget - terms.network));
        terms.budget = std::min (terms.budget, left);
        terms.network = std::min (terms.network, left - terms.budget);
        terms.margin = left - terms.budget - terms.network;
        return terms;
    }
    }
    return latency (in);
}

} // namespace bandmate::core

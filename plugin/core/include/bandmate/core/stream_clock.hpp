// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>

namespace bandmate::core
{

// Counts host samples since the start of the epoch and tells the same moment in model samples.
// Owned by the audio thread.
class StreamClock
{
public:
    void set_rates (double host_rate_hz, double model_rate_hz) noexcept
    {
        model_per_host_ = model_rate_hz / host_rate_hz;
    }

    void restart() noexcept { host_samples_ = 0; }

    void advance (uint32_t host_samples) noexcept { host_samples_ += host_samples; }

    uint64_t host_samples() const noexcept { return host_samples_; }

    // Model time of the host sample `offset` samples from now. Rounded, hence monotone: an event of a later
    // block never lies before what this block has published.
    uint64_t model_time (uint32_t offset = 0) const noexcept
    {
        const auto position = static_cast<double> (host_samples_ + offset) * model_per_host_;
        return static_cast<uint64_t> (std::floor (position + 0.5));
    }

private:
    uint64_t host_samples_ = 0;
    double model_per_host_ = 1.0;
};

} // namespace bandmate::core

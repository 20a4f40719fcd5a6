// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace bandmate::link
{

// What the way there and back asks of the latency: the 99th percentile of what it took x 1.15 + 2 ms, rounded
// up to half a millisecond. The 2 ms are for the steps in which both ends look for something to send.
inline double network_ms_of (std::vector<double> taken_ms)
{
    constexpr double factor = 1.15, overhead_ms = 2.0, step_ms = 0.5, maximum_ms = 500.0;
    if (taken_ms.empty())
        return maximum_ms;
    const auto place =
        static_cast<std::size_t> (std::ceil (0.99 * static_cast<double> (taken_ms.size()))) - 1;
    const auto at = taken_ms.begin() + static_cast<std::ptrdiff_t> (place);
    std::nth_element (taken_ms.begin(), at, taken_ms.end());
    return std::min (maximum_ms, std::ceil ((*at * factor + overhead_ms) / step_ms) * step_ms);
}

// Collects how long frames were under way. A value comes of ten seconds of frames.
class NetworkMeter
{
public:
    static constexpr std::size_t window = 250;

    // The value that the last window gives, when it is full.
    std::optional<double> add (double taken_ms)
    {
        taken_ms_.push_back (taken_ms);
        if (taken_ms_.size() < window)
            return std::nullopt;
        return network_ms_of (std::exchange (taken_ms_, {}));
    }

private:
    std::vector<double> taken_ms_;
};

} // namespace bandmate::link

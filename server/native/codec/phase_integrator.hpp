// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bandmate::codec
{

// Phases for a magnitude spectrum, hop by hop: real-time phase gradient heap integration
// (Prusa & Sondergaard, "Real-Time Spectrogram Inversion Using Phase Gradient Heap Integration",
// DAFx 2016). The gradients of the phase follow from those of the log magnitude:
//   in time:      2 pi a m / M + (a M / gamma) ds/dm      radians per hop
//   in frequency: -(gamma / (a M)) ds/dn                  radians per bin
// with a the hop, M the transform length, gamma the window's time-frequency ratio (0.25645 W^2 for a
// Hann window of W samples) and phases relative to the window's centre.
class PhaseIntegrator
{
public:
    struct Geometry
    {
        std::size_t bins; // M / 2 + 1
        double hop;       // a, samples
        double transform; // M, samples
        double gamma;     // samples squared
        float range;      // natural log: bins this far under the hop's peak get random phase
    };

    explicit PhaseIntegrator (Geometry geometry) : g (geometry), turns (geometry.bins), todo (geometry.bins)
    {
        heap.reserve (4 * g.bins);
        const double advance = 2.0 * pi * g.hop / g.transform;
        for (std::size_t m = 0; m < g.bins; ++m)
            turns[m] = static_cast<float> (std::remainder (advance * static_cast<double> (m), 2.0 * pi));
    }

    // Integrates one hop.
    //   before, now, after: log magnitudes [bins] of the hops n-1, n, n+1
    //   time_before: time gradient [bins] of hop n-1; phase_before: its phases
    //   noise: random phases [bins] in radians, used where the heap does not reach
    //   phase, time_now: results for hop n
    void step (const float* before, const float* now, const float* after, const float* phase_before,
               const float* time_before, const float* noise, float* phase, float* time_now)
    {
        const auto bins = g.bins;
        const auto time_scale = static_cast<float> (g.hop * g.transform / g.gamma);
        const auto frequency_scale = static_cast<float> (-g.gamma / (g.hop * g.transform));
        for (std::size_t m = 0; m < bins; ++m)
        {
            const auto low = now[m > 0 ? m - 1 : 1];
            const auto high = now[m + 1 < bins ? m + 1 : bins - 2];
            time_now[m] = turns[m] + time_scale * 0.5f * (high - low);
        }
        const auto frequency_gradient = [&] (std::size_t m)
        {
            return frequency_scale * 0.5f * (after[m] - before[m]);
        };

        const auto threshold = *std::max_element (now, now + bins) - g.range;
        heap.clear();
        std::size_t left = 0;
        for (std::size_t m = 0; m < bins; ++m)
        {
            phase[m] = noise[m];
            todo[m] = now[m] > threshold ? 1 : 0;
            left += todo[m];
            if (before[m] > threshold)
                heap.push_back ({before[m], static_cast<std::uint32_t> (m), true});
        }
        std::make_heap (heap.begin(), heap.end());

        const auto reach = [&] (std::size_t m, float value)
        {
            constexpr auto turn = static_cast<float> (2.0 * pi);
            phase[m] = value - turn * std::nearbyint (value * (1.0f / turn));
            todo[m] = 0;
            --left;
            heap.push_back ({now[m], static_cast<std::uint32_t> (m), false});
            std::push_heap (heap.begin(), heap.end());
        };
        while (left > 0)
        {
            if (heap.empty())
            {
                // An island that nothing leads to: it starts from the random phase at its peak.
                std::size_t peak = bins;
                for (std::size_t m = 0; m < bins; ++m)
                    if (todo[m] && (peak == bins || now[m] > now[peak]))
                        peak = m;
                reach (peak, noise[peak]);
            }
            std::pop_heap (heap.begin(), heap.end());
            const auto top = heap.back();
            heap.pop_back();
            const std::size_t m = top.bin;
            if (top.from_before)
            {
                if (todo[m])
                    reach (m, phase_before[m] + 0.5f * (time_before[m] + time_now[m]));
                continue;
            }
            if (m + 1 < bins && todo[m + 1])
                reach (m + 1, phase[m] + 0.5f * (frequency_gradient (m) + frequency_gradient (m + 1)));
            if (m > 0 && todo[m - 1])
                reach (m - 1, phase[m] - 0.5f * (frequency_gradient (m) + frequency_gradient (m - 1)));
        }
    }

private:
    static constexpr double pi = 3.14159265358979323846;

    struct Entry
    {
        float level;
        std::uint32_t bin;
        bool from_before;
        bool operator<(const Entry& other) const noexcept { return level < other.level; }
    };

    Geometry g;
    std::vector<float> turns; // [bins] of a steady partial in the middle of its bin, radians a hop
    std::vector<std::uint8_t> todo;
    std::vector<Entry> heap;
};

} // namespace bandmate::codec

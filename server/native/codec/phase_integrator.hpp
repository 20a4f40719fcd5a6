// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace bandmate::codec
{

// Phases for a magnitude spectrum, hop by hop: real-time phase gradient heap integration
// (Prusa & Sondergaard, "Real-Time Spectrogram Inversion Using Phase Gradient Heap Integration",
// DAFx 2016). The gradients of the phase follow from those of the log magnitude:
//   in time:      2 pi a m / M + (a M / gamma) ds/dm      radians per hop
//   in frequency: -2 pi d / M                             radians per bin
// with a the hop, M the transform length, gamma the window's time-frequency ratio (0.25645 W^2 for a
// Hann window of W samples) and phases relative to the window's centre. d is how long after its centre
// the window's content lies. For a Gaussian window it is gamma / (2 pi a) ds/dn without bounds; a tone
// that begins in a Hann window of W samples lies at most W / 2 after its centre, and the earlier the less
// the level rises: d = W / 2 * r / (r + rise), r being the rise since the hop before; likewise for its end.
class PhaseIntegrator
{
public:
    struct Geometry
    {
        std::size_t bins; // of M / 2 + 1, from 0 Hz up
        double hop;       // a, samples
        double transform; // M, samples
        double gamma;     // samples squared
        float range;      // natural log: bins this far under the hop's peak get random phase
        double window;    // W, samples
        float rise;       // natural log: after a rise or
        float fall;       // a fall of this much content is half-way from the centre to the window's end
    };

    explicit PhaseIntegrator (const Geometry& geometry)
        : g (geometry), turns (geometry.bins), todo (geometry.bins),
          slope (geometry.bins), gradients{std::vector<float> (geometry.bins),
                                           std::vector<float> (geometry.bins)}
    {
        heap.reserve (4 * g.bins);
        const double advance = 2.0 * pi * g.hop / g.transform;
        for (std::size_t m = 0; m < g.bins; ++m)
            turns[m] = static_cast<float> (std::remainder (advance * static_cast<double> (m), 2.0 * pi));
    }

    // Integrates a run of hops.
    //   levels: log magnitudes [hops, bins]; before: [bins] of the hop before them
    //   noise: random phases [hops, bins] in radians, used where the heap does not reach
    //   phase_before, gradient_before: phases and time gradient [bins] of the hop before
    //   phases: result [hops, bins]; gradient: result [bins], the last hop's
    // The hop after the last is not known yet, nor is any next one looked at.
    void run (const float* levels, const float* noise, const float* before, const float* phase_before,
              const float* gradient_before, std::size_t hops, float* phases, float* gradient)
    {
        for (std::size_t h = 0; h < hops; ++h)
        {
            const float* now = levels + h * g.bins;
            float* time_now = h + 1 < hops ? gradients[h % 2].data() : gradient;
            step (before, now, phase_before, gradient_before, noise + h * g.bins, phases + h * g.bins,
                  time_now);
            before = now;
            phase_before = phases + h * g.bins;
            gradient_before = time_now;
        }
    }

private:
    static constexpr double pi = 3.14159265358979323846;

    // What the heap sorts by, largest first: a level, the bin it is of, and whether of the hop before. One
    // word, for most of the time goes into comparing: floats of either sign sort as their bits do once
    // negative ones are turned over.
    using Entry = std::uint64_t;

    static Entry entry (float level, std::size_t bin, bool from_before)
    {
        std::uint32_t bits;
        std::memcpy (&bits, &level, sizeof bits);
        bits = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
        return (static_cast<Entry> (bits) << 32) | (static_cast<Entry> (bin) << 1) | (from_before ? 1 : 0);
    }

    void push (Entry entry)
    {
        heap.push_back (entry);
        std::push_heap (heap.begin(), heap.end());
    }

    Entry pop()
    {
        std::pop_heap (heap.begin(), heap.end());
        const auto top = heap.back();
        heap.pop_back();
        return top;
    }

    void step (const float* before, const float* now, const float* phase_before, const float* time_before,
               const float* noise, float* phase, float* time_now)
    {
        const auto bins = g.bins;
        const auto time_scale = static_cast<float> (0.5 * g.hop * g.transform / g.gamma);
        const auto furthest = static_cast<float> (-pi * g.window / g.transform); // radians per bin
        const auto threshold = *std::max_element (now, now + bins) - g.range;
        heap.clear();
        std::size_t left = 0;
        for (std::size_t m = 0; m < bins; ++m)
        {
            const auto low = now[m > 0 ? m - 1 : 1];
            const auto high = now[m + 1 < bins ? m + 1 : bins - 2];
            time_now[m] = turns[m] + time_scale * (high - low);
            const auto risen = now[m] - before[m];
            slope[m] = furthest * risen / (std::abs (risen) + (risen > 0 ? g.rise : g.fall));
            phase[m] = noise[m];
            todo[m] = now[m] > threshold ? 1 : 0;
            left += todo[m];
            if (before[m] > threshold)
                heap.push_back (entry (before[m], m, true));
        }
        std::make_heap (heap.begin(), heap.end());

        const auto reach = [&] (std::size_t m, float value)
        {
            constexpr auto turn = static_cast<float> (2.0 * pi);
            phase[m] = value - turn * std::nearbyint (value * (1.0f / turn));
            todo[m] = 0;
            --left;
            push (entry (now[m], m, false));
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
            const auto top = pop();
            const auto m = static_cast<std::size_t> (static_cast<std::uint32_t> (top) >> 1);
            if ((top & 1) != 0)
            {
                if (todo[m])
                    reach (m, phase_before[m] + 0.5f * (time_before[m] + time_now[m]));
                continue;
            }
            if (m + 1 < bins && todo[m + 1])
                reach (m + 1, phase[m] + 0.5f * (slope[m] + slope[m + 1]));
            if (m > 0 && todo[m - 1])
                reach (m - 1, phase[m] - 0.5f * (slope[m] + slope[m - 1]));
        }
    }

    Geometry g;
    std::vector<float> turns; // [bins] of a steady partial in the middle of its bin, radians a hop
    std::vector<std::uint8_t> todo;
    std::vector<float> slope; // [bins] gradient in frequency
    std::vector<float> gradients[2];
    std::vector<Entry> heap;
};

} // namespace bandmate::codec

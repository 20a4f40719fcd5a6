// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"

#include <bandmate/core/resampler.hpp>

#include <cmath>
#include <vector>

using bandmate::core::Resampler;

namespace
{

// A smooth pulse, well inside the band of both rates.
float pulse (double samples_from_centre)
{
    return static_cast<float> (std::exp (-0.5 * std::pow (samples_from_centre / 12.0, 2.0)));
}

// Centre of gravity around the highest sample.
double centre_of (const std::vector<float>& signal)
{
    std::size_t peak = 0;
    for (std::size_t i = 0; i < signal.size(); ++i)
        if (std::abs (signal[i]) > std::abs (signal[peak]))
            peak = i;
    double sum = 0.0;
    double moment = 0.0;
    for (std::size_t i = peak > 60 ? peak - 60 : 0; i < std::min (signal.size(), peak + 61); ++i)
    {
        sum += signal[i];
        moment += signal[i] * static_cast<double> (i);
    }
    return moment / sum;
}

// Pulls output in blocks as the plugin does, and notes how far ahead the input was read.
std::vector<float> pull (Resampler& resampler, const std::vector<float>& in, uint32_t block,
                         double in_per_out, double& most_ahead)
{
    std::vector<float> out;
    uint64_t used = 0;
    while (true)
    {
        const auto before = out.size();
        out.resize (before + block);
        uint32_t made = 0;
        for (int tries = 0; made < block && tries < 100; ++tries)
        {
            const auto wanted =
                static_cast<uint32_t> (resampler.missing (block - made)) + (tries > 0 ? 1 : 0);
            if (used + wanted > in.size())
                return out;
            const auto moved =
                resampler.process (in.data() + used, wanted, out.data() + before + made, block - made);
            used += moved.used;
            made += moved.made;
        }
        REQUIRE (made == block);
        const auto last = static_cast<double> (out.size() - 1) * in_per_out;
        most_ahead = std::max (most_ahead, static_cast<double> (used) - last);
    }
}

} // namespace

TEST_CASE ("What comes out lies where it went in, at every rate and block size")
{
    for (const auto host_rate : {44100.0, 88200.0, 96000.0, 22050.0})
        for (const auto block : {1u, 7u, 64u, 512u, 1023u})
        {
            const auto in_per_out = 48000.0 / host_rate;
            Resampler resampler (48000.0, host_rate, 1);
            constexpr double centre = 9000.0;
            std::vector<float> in (20000);
            for (std::size_t i = 0; i < in.size(); ++i)
                in[i] = pulse (static_cast<double> (i) - centre);
            double most_ahead = 0.0;
            const auto out = pull (resampler, in, block, in_per_out, most_ahead);

            CAPTURE (host_rate, block);
            CHECK (std::abs (centre_of (out) - centre / in_per_out) < 0.05);
            CHECK (most_ahead <= resampler.ahead_samples() + 1.0);
        }
}

TEST_CASE ("After a reset it begins at time 0 again, with the same samples")
{
    Resampler resampler (48000.0, 44100.0, 1);
    std::vector<float> in (4000);
    for (std::size_t i = 0; i < in.size(); ++i)
        in[i] = pulse (static_cast<double> (i) - 1000.0);
    double ahead = 0.0;
    const auto first = pull (resampler, in, 100, 48000.0 / 44100.0, ahead);
    resampler.reset();
    CHECK (first == pull (resampler, in, 100, 48000.0 / 44100.0, ahead));
}

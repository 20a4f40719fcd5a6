// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"

#include <bandmate/core/stream_clock.hpp>

#include <algorithm>
#include <cmath>

using bandmate::core::StreamClock;

TEST_CASE ("At equal rates model time is host time")
{
    StreamClock clock;
    clock.set_rates (48000.0, 48000.0);
    clock.advance (12345);
    CHECK (clock.model_time() == 12345);
    CHECK (clock.model_time (7) == 12352);
    clock.restart();
    CHECK (clock.model_time() == 0);
}

TEST_CASE ("Model time never falls, and never strays by more than half a sample, over a day")
{
    for (const auto host_rate : {44100.0, 88200.0, 96000.0, 47952.047952})
    {
        StreamClock clock;
        clock.set_rates (host_rate, 48000.0);
        uint64_t host = 0;
        uint64_t before = 0;
        uint32_t block = 1;
        bool fell = false;
        double most_astray = 0.0;
        while (static_cast<double> (host) < host_rate * 86400.0)
        {
            for (const auto offset : {0u, block / 2, block - 1})
            {
                const auto now = clock.model_time (offset);
                const auto exact = static_cast<long double> (host + offset) * 48000.0L /
                                   static_cast<long double> (host_rate);
                fell |= now < before;
                most_astray = std::max (
                    most_astray, std::abs (static_cast<double> (static_cast<long double> (now) - exact)));
                before = now;
            }
            clock.advance (block);
            host += block;
            block = block * 7 % 65521 + 1;
        }
        CAPTURE (host_rate);
        CHECK_FALSE (fell);
        CHECK (most_astray <= 0.5001);
    }
}

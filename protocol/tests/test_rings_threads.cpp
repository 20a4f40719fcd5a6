// SPDX-License-Identifier: Apache-2.0
// Two threads on the two mappings of one segment; under ThreadSanitizer every data race is an error.
#include "support.hpp"

#include <atomic>
#include <thread>
#include <vector>

using namespace bandmate::test;
using namespace bandmate::protocol;

namespace
{
// Runs one function beside the test and joins it however the test ends.
class Beside
{
public:
    template <typename Function>
    explicit Beside (Function function) : thread_ (function)
    {
    }
    ~Beside() { thread_.join(); }
    Beside (const Beside&) = delete;
    Beside& operator= (const Beside&) = delete;

private:
    std::thread thread_;
};
} // namespace

TEST_CASE ("No event is lost, torn or reordered between two threads", "[threads]")
{
    constexpr std::uint64_t total = 500000;
    Pair pair;
    std::uint64_t next = 0;
    std::uint64_t wrong = 0;
    {
        const Beside producer (
            [&pair]
            {
                auto& ring = pair.plugin.events();
                for (std::uint64_t n = 0; n < total;)
                    if (ring.push ({n, EventType::transport, 0, static_cast<std::uint32_t> (n), 1.0, ~n}))
                        ++n;
                    else
                        std::this_thread::yield();
            });
        Event events[50];
        while (next < total)
        {
            const auto count = pair.server.events().read (total, events, 50);
            for (std::size_t i = 0; i < count; ++i, ++next)
                wrong += events[i].time != next || events[i].index != static_cast<std::uint32_t> (next) ||
                         events[i].aux != ~next;
            if (count == 0)
                std::this_thread::yield();
        }
    }
    CHECK (wrong == 0);
    CHECK (pair.server.events().available() == 0);
}

TEST_CASE ("No frame is lost, torn or reordered between two threads", "[threads]")
{
    constexpr std::uint64_t total = 50000;
    Pair pair ({64, 8, 8}, {48000, 2, 64});
    std::uint64_t next = 0;
    std::uint64_t wrong = 0;
    {
        const Beside producer (
            [&pair]
            {
                auto& ring = pair.server.audio_out();
                std::vector<float> samples (ring.floats());
                for (std::uint64_t k = 0; k < total;)
                {
                    for (auto& sample : samples)
                        sample = static_cast<float> (k % 4096);
                    while (!ring.write (1, k, samples.data()))
                        std::this_thread::yield();
                    ++k;
                }
            });
        auto& ring = pair.plugin.audio_out();
        while (next < total)
        {
            const auto frame = ring.front();
            if (!frame.has_value())
            {
                std::this_thread::yield();
                continue;
            }
            wrong += frame->index != next;
            for (std::size_t i = 0; i < ring.floats(); ++i)
                wrong += frame->samples[i] != static_cast<float> (next % 4096);
            ring.release();
            ++next;
        }
    }
    CHECK (wrong == 0);
}

TEST_CASE ("What was published is consistent and covers the events pushed before it", "[threads]")
{
    constexpr std::uint64_t blocks = 100000;
    Pair pair ({1024, 4, 4});
    std::uint64_t wrong = 0;
    {
        const Beside plugin (
            [&pair]
            {
                // One event a block, at its first sample; `until` and `epoch` are always equal.
                for (std::uint64_t n = 0; n < blocks; ++n)
                {
                    while (!pair.plugin.events().push (Event::transport (n, 0, 0.0, 0)))
                        std::this_thread::yield();
                    pair.plugin.published().publish ({static_cast<std::uint32_t> (n + 1), n + 1});
                }
            });
        std::uint64_t seen = 0;
        Event events[64];
        while (seen < blocks)
        {
            const auto position = pair.server.published().read();
            if (!position.has_value())
                continue;
            wrong += position->epoch != position->until;
            while (seen < position->until)
            {
                const auto count = pair.server.events().read (position->until, events, 64);
                if (count == 0) // all events before `until` must already be there
                {
                    ++wrong;
                    std::this_thread::yield();
                }
                seen += count;
            }
        }
    }
    CHECK (wrong == 0);
}

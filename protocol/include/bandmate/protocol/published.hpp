// SPDX-License-Identifier: Apache-2.0
// The pair (epoch, until): how far the plugin's input is complete.
#pragma once

#include "layout.hpp"

#include <cstdint>
#include <optional>

namespace bandmate::protocol
{

struct Position
{
    std::uint32_t epoch = 0; // 0: nothing published yet
    std::uint64_t until = 0; // every event of `epoch` with time < until is in the event ring
};

// One writer (the plugin's audio thread), any readers. A sequence lock without fences: the stores inside are
// releases and the loads acquires, which is as strong here and is understood by ThreadSanitizer.
class Published
{
public:
    Published() = default;
    explicit Published (PublishedLine& line) noexcept : line_ (&line) {}

    // Writer; wait-free. Call after the pushes it covers.
    void publish (Position position) noexcept
    {
        const auto sequence =
            line_->sequence.load (std::memory_order_relaxed) | 1; // odd even if a writer died inside
        line_->sequence.store (sequence, std::memory_order_relaxed);
        line_->epoch.store (position.epoch, std::memory_order_release);
        line_->until.store (position.until, std::memory_order_release);
        line_->sequence.store (sequence + 1, std::memory_order_release);
    }

    // Reader. A consistent pair, or nullopt when the writer was met inside publish() in every try.
    std::optional<Position> read() const noexcept
    {
        constexpr int tries = 64;
        for (int i = 0; i < tries; ++i)
        {
            const auto before = line_->sequence.load (std::memory_order_acquire);
            const Position position{line_->epoch.load (std::memory_order_acquire),
                                    line_->until.load (std::memory_order_acquire)};
            if (before % 2 == 0 && line_->sequence.load (std::memory_order_relaxed) == before)
                return position;
        }
        return std::nullopt;
    }

private:
    PublishedLine* line_ = nullptr;
};

} // namespace bandmate::protocol

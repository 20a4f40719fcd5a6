// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "fade_tail.hpp"

#include <bandmate/protocol/audio.hpp>

#include <cstdint>
#include <optional>

namespace bandmate::core
{

// Reads the model's output as one endless stream of samples: frame k at [kF, (k+1)F), wherever and whenever
// it comes. A frame that is missing when due fades to silence and the stream never slides. Owned by the audio
// thread.
class FramePlayer
{
public:
    struct Counts
    {
        uint64_t underruns = 0; // frames not there when due
        uint64_t late = 0;      // frames that came after their time
        uint64_t bad = 0;       // frames that cannot be
    };

    // Allocates.
    void prepare (uint32_t frame_samples, uint32_t channels, uint32_t fade_samples);

    // Continues at output sample `position` of `epoch`; its first frame comes in at full level.
    void restart (uint32_t epoch, uint64_t position) noexcept;

    // The part of the stream up to the end of a frame, at most `count` samples, into `out` (interleaved).
    // Returns how many. `complete_frames`: frames whose input is published, hence the only ones that may be
    // in the ring. `ring` may be null (silence).
    uint32_t read (protocol::AudioRing* ring, float* out, uint32_t count, uint64_t complete_frames) noexcept;

    // True if the next read() finds its frame, or a later one: then it is of no use to wait.
    bool is_next_decided (protocol::AudioRing& ring, uint64_t complete_frames) noexcept;

    bool is_in_gap() const noexcept { return in_gap_; }
    uint64_t position() const noexcept { return position_; }
    const Counts& counts() const noexcept { return counts_; }

private:
    std::optional<protocol::FrameView> find (protocol::AudioRing& ring, uint64_t index,
                                             uint64_t complete_frames) noexcept;
    void play (const protocol::FrameView& frame, uint32_t offset, float* out, uint32_t count) noexcept;
    void conceal (uint64_t index, float* out, uint32_t count) noexcept;

    static constexpr uint64_t no_frame = ~uint64_t{0};

    uint32_t frame_samples_ = 1;
    uint32_t channels_ = 0;
    uint32_t fade_samples_ = 1;
    uint32_t epoch_ = 0;
    uint64_t position_ = 0;
    uint32_t fade_in_left_ = 0;
    bool in_gap_ = false;
    uint64_t counted_gap_ = no_frame;
    FadeTail tail_;
    Counts counts_;
};

} // namespace bandmate::core

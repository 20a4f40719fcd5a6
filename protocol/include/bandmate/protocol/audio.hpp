// SPDX-License-Identifier: Apache-2.0
// The ring of audio frames: server to plugin (audio out) and plugin to server (audio in).
#pragma once

#include "ring.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace bandmate::protocol
{

// A frame in its slot. `samples` points into the shared memory and is valid until AudioRing::release().
struct FrameView
{
    std::uint32_t epoch = 0;
    std::uint32_t flags = 0; // frame_flag
    std::uint64_t index = 0; // k
    const float* samples =
        nullptr; // interleaved [frame_samples * channels]; may hold any bits, see is_finite()
};

inline bool is_finite (const float* samples, std::size_t count) noexcept
{
    for (std::size_t i = 0; i < count; ++i)
        if (!std::isfinite (samples[i]))
            return false;
    return true;
}

// Full: the writer keeps the frame and tries again later. Empty: the reader has nothing to play.
class AudioRing
{
public:
    AudioRing() = default;
    AudioRing (const Ring& ring, FrameShape shape) noexcept : ring_ (ring), shape_ (shape) {}

    std::uint32_t capacity() const noexcept { return ring_.capacity(); }
    std::uint32_t frame_samples() const noexcept { return shape_.frame_samples; }
    std::uint32_t channels() const noexcept { return shape_.channels; }
    std::size_t floats() const noexcept { return std::size_t{shape_.frame_samples} * shape_.channels; }

    // Producer; wait-free. Where the next frame's floats() samples go, nullptr when full (or broken). May be
    // filled over several calls; nothing is seen by the consumer before commit().
    float* begin_write() noexcept
    {
        auto* slot = ring_.reserve();
        return slot == nullptr ? nullptr : reinterpret_cast<float*> (slot + sizeof (FrameHead));
    }

    // Producer. Hands over the frame of the last successful begin_write().
    void commit (std::uint32_t epoch, std::uint64_t index, std::uint32_t flags = 0) noexcept
    {
        const FrameHead head{epoch, flags, index};
        std::memcpy (ring_.reserve(), &head, sizeof head);
        ring_.commit();
    }

    // Producer; wait-free. False when full: nothing was written.
    bool write (std::uint32_t epoch, std::uint64_t index, const float* samples,
                std::uint32_t flags = 0) noexcept
    {
        auto* target = begin_write();
        if (target == nullptr)
            return false;
        std::memcpy (target, samples, floats() * sizeof (float));
        commit (epoch, index, flags);
        return true;
    }

    std::uint32_t free_slots() noexcept { return ring_.free_slots(); }

    // Consumer; wait-free. The oldest frame, without a copy.
    std::optional<FrameView> front() noexcept
    {
        if (ring_.available() == 0)
            return std::nullopt;
        const auto* slot = ring_.peek (0);
        FrameHead head;
        std::memcpy (&head, slot, sizeof head);
        return FrameView{head.epoch, head.flags, head.index,
                         reinterpret_cast<const float*> (slot + sizeof head)};
    }

    // Consumer. Gives back the frame of the last successful front().
    void release() noexcept { ring_.release(); }

    // Consumer. Frames waiting.
    std::uint32_t available() noexcept { return ring_.available(); }

    bool producer_broken() const noexcept { return ring_.producer_broken(); }
    bool consumer_broken() const noexcept { return ring_.consumer_broken(); }

private:
    Ring ring_;
    FrameShape shape_;
};

} // namespace bandmate::protocol

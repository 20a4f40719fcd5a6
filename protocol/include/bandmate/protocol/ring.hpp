// SPDX-License-Identifier: Apache-2.0
// Single-producer single-consumer ring of fixed slots in shared memory.
#pragma once

#include "layout.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bandmate::protocol
{

// One thread of one process produces, one thread of one process consumes. All functions are wait-free, make
// no system call and allocate nothing. A slot's bytes happen-before its consumer by release/acquire on
// `written`; its reuse happens-after the consumer by release/acquire on `read`. Each side keeps its own count
// privately and checks the other's before use: a count that cannot be (a peer gone wild) makes the ring
// `broken`, and a broken ring is full to its producer and empty to its consumer for ever.
class Ring
{
public:
    Ring() = default;

    Ring (RingControl& control, std::byte* slots, std::uint32_t capacity, std::uint32_t slot_bytes) noexcept
        : control_ (&control), slots_ (slots), capacity_ (capacity), slot_bytes_ (slot_bytes)
    {
        producer_.own = consumer_.other = control.written.load (std::memory_order_acquire);
        consumer_.own = producer_.other = control.read.load (std::memory_order_acquire);
        if (producer_.own - consumer_.own > capacity)
        {
            producer_.broken.set();
            consumer_.broken.set();
        }
    }

    std::uint32_t capacity() const noexcept { return capacity_; }

    // Producer. Slots that can be reserved now.
    std::uint32_t free_slots() noexcept
    {
        producer_.other = control_->read.load (std::memory_order_acquire);
        return producer_free();
    }

    // Producer. The next slot to fill, nullptr when the ring is full; it is seen by the consumer after
    // commit().
    std::byte* reserve() noexcept
    {
        if (producer_free() == 0 && free_slots() == 0)
            return nullptr;
        return slot (producer_.own);
    }

    // Producer. Hands the slot of the last successful reserve() to the consumer.
    void commit() noexcept { control_->written.store (++producer_.own, std::memory_order_release); }

    // Consumer. Slots that can be read now.
    std::uint32_t available() noexcept
    {
        consumer_.other = control_->written.load (std::memory_order_acquire);
        const auto used = consumer_.other - consumer_.own;
        if (used > capacity_)
            consumer_.broken.set();
        return consumer_.broken.get() ? 0 : static_cast<std::uint32_t> (used);
    }

    // Consumer. The i-th oldest slot, for i < the last available(); valid until it is released.
    const std::byte* peek (std::uint32_t i) const noexcept { return slot (consumer_.own + i); }

    // Consumer. Gives the `count` oldest slots back, count <= the last available().
    void release (std::uint32_t count = 1) noexcept
    {
        consumer_.own += count;
        control_->read.store (consumer_.own, std::memory_order_release);
    }

    // Any thread.
    bool producer_broken() const noexcept { return producer_.broken.get(); }
    bool consumer_broken() const noexcept { return consumer_.broken.get(); }

private:
    // Set by the owning side, asked by any thread.
    struct Flag
    {
        Flag() = default;
        Flag (const Flag& other) noexcept : value (other.get()) {}
        Flag& operator= (const Flag& other) noexcept
        {
            value.store (other.get(), std::memory_order_relaxed);
            return *this;
        }
        bool get() const noexcept { return value.load (std::memory_order_relaxed); }
        void set() noexcept { value.store (true, std::memory_order_relaxed); }

        std::atomic<bool> value{false};
    };

    // Private to the thread of its side; own lines, so that the two threads never share one.
    struct alignas (cache_line) Side
    {
        std::uint64_t own = 0;
        std::uint64_t other = 0; // last count seen of the other side
        Flag broken;
    };

    std::byte* slot (std::uint64_t count) const noexcept
    {
        return slots_ + (count & (capacity_ - 1)) * std::uint64_t{slot_bytes_};
    }

    std::uint32_t producer_free() noexcept
    {
        const auto used = producer_.own - producer_.other;
        if (used > capacity_)
            producer_.broken.set();
        return producer_.broken.get() ? 0 : capacity_ - static_cast<std::uint32_t> (used);
    }

    RingControl* control_ = nullptr;
    std::byte* slots_ = nullptr;
    std::uint32_t capacity_ = 0;
    std::uint32_t slot_bytes_ = 0;
    Side producer_;
    Side consumer_;
};

} // namespace bandmate::protocol

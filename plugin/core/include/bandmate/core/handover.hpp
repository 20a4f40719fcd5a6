// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <memory>
#include <utility>

namespace bandmate::core
{

// Hands an object from the link thread to the audio thread, and back to the link thread to be freed, without
// a lock. `offered_`: written by the link thread, taken by the audio thread. `retired_`: the other way round.
// While a retired object has not been collected the audio thread keeps what it has, so neither side ever
// waits.
template <typename T>
class Handover
{
public:
    Handover() = default;
    Handover (const Handover&) = delete;
    Handover& operator= (const Handover&) = delete;

    // Only when no audio thread uses it any more.
    ~Handover()
    {
        delete offered_.load();
        delete retired_.load();
        delete current_;
    }

    // Link thread. Replaces an offer that was not taken yet. nullptr asks the audio thread to let go.
    void offer (std::shared_ptr<T> object)
    {
        delete offered_.exchange (new Item{std::move (object)}, std::memory_order_acq_rel);
    }

    // Link thread. Frees what the audio thread has let go of; call now and then.
    void collect() { delete retired_.exchange (nullptr, std::memory_order_acquire); }

    // Any thread.
    bool has_offer() const noexcept { return offered_.load (std::memory_order_acquire) != nullptr; }

    // Audio thread, at a block boundary. True if current() has changed.
    bool adopt() noexcept
    {
        if (!has_offer() || retired_.load (std::memory_order_relaxed) != nullptr)
            return false;
        auto* next = offered_.exchange (nullptr, std::memory_order_acq_rel);
        retired_.store (current_, std::memory_order_release);
        current_ = next;
        return true;
    }

    // Audio thread. nullptr when there is none.
    T* current() const noexcept { return current_ == nullptr ? nullptr : current_->object.get(); }

private:
    struct Item
    {
        std::shared_ptr<T> object;
    };

    std::atomic<Item*> offered_{nullptr};
    std::atomic<Item*> retired_{nullptr};
    Item* current_ = nullptr; // the audio thread's own
};

} // namespace bandmate::core

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <juce_core/juce_core.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace bandmate::plugin
{

// Notes between an editor's keyboard and the audio thread, both ways, without a lock.
class NoteExchange
{
public:
    static constexpr int pitches = 128;

    struct Note
    {
        uint8_t pitch = 0;
        uint8_t velocity = 0; // 0: its end
    };

    // Message thread. An end that finds no room is made good by an end of all notes of the keyboard.
    void play (Note note) noexcept
    {
        const auto write = fifo_.write (1);
        if (write.blockSize1 + write.blockSize2 == 1)
            notes_[static_cast<std::size_t> (write.blockSize1 > 0 ? write.startIndex1 : write.startIndex2)] =
                note;
        else if (note.velocity == 0)
            release_all_.store (true, std::memory_order_release);
    }

    // Audio thread: calls `take (note)` for each note since the last time.
    template <typename Take>
    void take (Take take_note) noexcept
    {
        const auto read = fifo_.read (fifo_.getNumReady());
        read.forEach (
            [&] (int index)
            {
                const auto note = notes_[static_cast<std::size_t> (index)];
                held_here_[note.pitch] = note.velocity > 0;
                take_note (note);
            });
        if (!release_all_.exchange (false, std::memory_order_acq_rel))
            return;
        for (int pitch = 0; pitch < pitches; ++pitch)
            if (std::exchange (held_here_[static_cast<std::size_t> (pitch)], false))
                take_note (Note{static_cast<uint8_t> (pitch), 0});
    }

    // Audio thread: what the host plays, on a channel 0..15.
    void show_on (int channel, int pitch) noexcept
    {
        auto& note = shown_[static_cast<std::size_t> (pitch & 127)];
        note.channels.fetch_or (bit (channel), std::memory_order_relaxed);
        note.was_struck.store (true, std::memory_order_relaxed);
    }
    void show_off (int channel, int pitch) noexcept
    {
        shown_[static_cast<std::size_t> (pitch & 127)].channels.fetch_and (
            static_cast<uint16_t> (~bit (channel)), std::memory_order_relaxed);
    }
    void show_all_off() noexcept
    {
        for (auto& note : shown_)
            note.channels.store (0, std::memory_order_relaxed);
    }
    void show_all_off (int channel) noexcept
    {
        for (int pitch = 0; pitch < pitches; ++pitch)
            show_off (channel, pitch);
    }

    // Message thread: whether a pitch is held, or was struck since it was last asked for.
    bool is_shown (int pitch) noexcept
    {
        auto& note = shown_[static_cast<std::size_t> (pitch & 127)];
        const bool was_struck = note.was_struck.exchange (false, std::memory_order_relaxed);
        return was_struck || note.channels.load (std::memory_order_relaxed) != 0;
    }

private:
    static constexpr int capacity = 256;
    static constexpr uint16_t bit (int channel) noexcept
    {
        return static_cast<uint16_t> (1u << (static_cast<unsigned> (channel) & 15u));
    }

    struct Shown
    {
        std::atomic<uint16_t> channels{0};
        std::atomic<bool> was_struck{false};
    };

    juce::AbstractFifo fifo_{capacity};
    std::array<Note, capacity> notes_{};
    std::atomic<bool> release_all_{false};
    std::array<bool, pitches> held_here_{}; // the audio thread's own
    std::array<Shown, pitches> shown_;
};

} // namespace bandmate::plugin

// SPDX-License-Identifier: Apache-2.0
// The event record and the ring that carries it from the plugin's audio thread to the session.
#pragma once

#include "parameters.hpp"
#include "ring.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

namespace bandmate::protocol
{

enum class EventType : std::uint16_t
{
    epoch = 1,         // index: epoch >= 1, aux: seed; time 0. All later events count from here.
    note_on = 2,       // channel, index: pitch, value: velocity > 0..1
    note_off = 3,      // channel, index: pitch, value: release velocity 0..1
    control = 4,       // channel, index: controller 0..127, value: 0..1
    pitch_bend = 5,    // channel, value: -1..1
    pressure = 6,      // channel, index: pitch or any_pitch, value: 0..1
    all_notes_off = 7, // channel or any_channel
    parameter = 8,     // index: ParameterId, value
    transport =
        9, // index: transport_flag, value: tempo in BPM (0: unknown), aux: host position in samples (int64)
};

inline constexpr std::uint16_t any_channel = 0xffff;
inline constexpr std::uint32_t any_pitch = 0xffffffff;
inline constexpr double tempo_maximum = 10000.0;

namespace transport_flag
{
inline constexpr std::uint32_t playing = 1;
inline constexpr std::uint32_t recording = 2;
inline constexpr std::uint32_t looping = 4;
} // namespace transport_flag

struct Event
{
    std::uint64_t time = 0; // stream samples since the start of the event's epoch
    EventType type = EventType::epoch;
    std::uint16_t channel = 0; // MIDI channel 0..15
    std::uint32_t index = 0;
    double value = 0.0;
    std::uint64_t aux = 0;

    static Event epoch_start (std::uint32_t epoch, std::uint64_t seed) noexcept
    {
        return {0, EventType::epoch, 0, epoch, 0.0, seed};
    }
    static Event note_on (std::uint64_t t, std::uint16_t ch, std::uint32_t pitch, double velocity) noexcept
    {
        return {t, EventType::note_on, ch, pitch, velocity, 0};
    }
    static Event note_off (std::uint64_t t, std::uint16_t ch, std::uint32_t pitch,
                           double velocity = 0.0) noexcept
    {
        return {t, EventType::note_off, ch, pitch, velocity, 0};
    }
    static Event control (std::uint64_t t, std::uint16_t ch, std::uint32_t controller, double value) noexcept
    {
        return {t, EventType::control, ch, controller, value, 0};
    }
    static Event pitch_bend (std::uint64_t t, std::uint16_t ch, double value) noexcept
    {
        return {t, EventType::pitch_bend, ch, 0, value, 0};
    }
    static Event pressure (std::uint64_t t, std::uint16_t ch, std::uint32_t pitch, double value) noexcept
    {
        return {t, EventType::pressure, ch, pitch, value, 0};
    }
    static Event all_notes_off (std::uint64_t t, std::uint16_t ch = any_channel) noexcept
    {
        return {t, EventType::all_notes_off, ch, 0, 0.0, 0};
    }
    static Event parameter (std::uint64_t t, ParameterId id, double value) noexcept
    {
        return {t, EventType::parameter, 0, static_cast<std::uint32_t> (id), value, 0};
    }
    static Event transport (std::uint64_t t, std::uint32_t flags, double tempo_bpm,
                            std::int64_t host_position_samples) noexcept
    {
        return {
            t, EventType::transport, 0, flags, tempo_bpm, static_cast<std::uint64_t> (host_position_samples)};
    }
};

static_assert (std::is_trivially_copyable_v<Event> && std::is_standard_layout_v<Event>);
static_assert (sizeof (Event) == event_slot_bytes && offsetof (Event, type) == 8 &&
               offsetof (Event, channel) == 10);
static_assert (offsetof (Event, index) == 12 && offsetof (Event, value) == 16 && offsetof (Event, aux) == 24);

// True if every field is within its type's range. Unknown types are not legal.
inline bool is_legal (const Event& e) noexcept
{
    const auto value_in = [&e] (double low, double high)
    {
        return e.value >= low && e.value <= high;
    }; // false for NaN
    const bool has_channel = e.channel < 16;
    if (!std::isfinite (e.value))
        return false;
    switch (e.type)
    {
    case EventType::epoch:
        return e.time == 0 && e.index >= 1;
    case EventType::note_on:
        return has_channel && e.index < 128 && value_in (0.0, 1.0) && e.value > 0.0;
    case EventType::note_off:
    case EventType::control:
        return has_channel && e.index < 128 && value_in (0.0, 1.0);
    case EventType::pitch_bend:
        return has_channel && value_in (-1.0, 1.0);
    case EventType::pressure:
        return has_channel && (e.index < 128 || e.index == any_pitch) && value_in (0.0, 1.0);
    case EventType::all_notes_off:
        return has_channel || e.channel == any_channel;
    case EventType::parameter:
        return is_legal_parameter (e.index, e.value);
    case EventType::transport:
        return value_in (0.0, tempo_maximum);
    }
    return false;
}

struct EpochStart
{
    std::uint32_t epoch = 0;
    std::uint64_t seed = 0;
};

// Plugin's audio thread -> session. Full: push() refuses, the plugin counts it and starts a new epoch with a
// snapshot as soon as there is room. Illegal records are skipped by the reader and counted.
class EventRing
{
public:
    EventRing() = default;
    explicit EventRing (const Ring& ring) noexcept : ring_ (ring) {}

    std::uint32_t capacity() const noexcept { return ring_.capacity(); }

    // Producer; wait-free. False when full (or broken): nothing was written.
    bool push (const Event& event) noexcept
    {
        auto* slot = ring_.reserve();
        if (slot == nullptr)
            return false;
        std::memcpy (slot, &event, sizeof event);
        ring_.commit();
        return true;
    }

    // Producer. Events that can be pushed now.
    std::uint32_t free_slots() noexcept { return ring_.free_slots(); }

    // Consumer. Takes events with time < `until`, at most `maximum`, and never goes past the start of another
    // epoch. Returns their number; fewer than `maximum` means that none is left for now.
    std::size_t read (std::uint64_t until, Event* out, std::size_t maximum) noexcept
    {
        const auto available = ring_.available();
        std::size_t count = 0;
        std::uint32_t taken = 0;
        for (; taken < available && count < maximum; ++taken)
        {
            const Event event = copy (taken);
            if (!is_legal (event))
            {
                ++refused_;
                continue;
            }
            if (event.type == EventType::epoch || event.time >= until)
                break;
            out[count++] = event;
        }
        ring_.release (taken);
        return count;
    }

    // Consumer. Drops everything before the newest epoch in the ring and enters it. nullopt when no new epoch
    // is there; then nothing is dropped.
    std::optional<EpochStart> enter_newest_epoch() noexcept
    {
        for (auto i = ring_.available(); i > 0; --i)
        {
            const Event event = copy (i - 1);
            if (event.type != EventType::epoch || !is_legal (event))
                continue;
            ring_.release (i);
            return EpochStart{event.index, event.aux};
        }
        return std::nullopt;
    }

    // Consumer. Events waiting, whatever their time and epoch.
    std::uint32_t available() noexcept { return ring_.available(); }

    // Consumer. Illegal records met so far.
    std::uint64_t refused() const noexcept { return refused_; }

    bool producer_broken() const noexcept { return ring_.producer_broken(); }
    bool consumer_broken() const noexcept { return ring_.consumer_broken(); }

private:
    // A copy, so that what was checked is what is used.
    Event copy (std::uint32_t i) const noexcept
    {
        Event event;
        std::memcpy (&event, ring_.peek (i), sizeof event);
        return event;
    }

    Ring ring_;
    std::uint64_t refused_ = 0;
};

} // namespace bandmate::protocol

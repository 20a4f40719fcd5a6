// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/protocol/events.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace bandmate::core
{

// The event a MIDI channel message stands for, at time 0. nullopt for what the model has no use for (system
// messages, program changes) and for messages cut short.
inline std::optional<protocol::Event> event_of_midi (const uint8_t* bytes, std::size_t size) noexcept
{
    using protocol::Event;
    constexpr uint8_t all_sound_off = 120;
    constexpr uint8_t first_all_notes_off = 123; // 124 to 127 change modes, and mean all notes off too

    if (size < 2 || bytes[0] < 0x80 || bytes[0] >= 0xf0 || bytes[1] > 127)
        return std::nullopt;
    const auto kind = bytes[0] & 0xf0;
    const auto channel = static_cast<uint16_t> (bytes[0] & 0x0f);
    if (kind == 0xd0)
        return Event::pressure (0, channel, protocol::any_pitch, bytes[1] / 127.0);
    if (size < 3 || bytes[2] > 127)
        return std::nullopt;
    const auto value = bytes[2] / 127.0;
    switch (kind)
    {
    case 0x80:
        return Event::note_off (0, channel, bytes[1], value);
    case 0x90:
        if (bytes[2] == 0)
            return Event::note_off (0, channel, bytes[1]);
        return Event::note_on (0, channel, bytes[1], value);
    case 0xa0:
        return Event::pressure (0, channel, bytes[1], value);
    case 0xb0:
        if (bytes[1] == all_sound_off || bytes[1] >= first_all_notes_off)
            return Event::all_notes_off (0, channel);
        return Event::control (0, channel, bytes[1], value);
    case 0xe0:
    {
        const auto bend = (bytes[1] | (bytes[2] << 7)) - 8192;
        return Event::pitch_bend (0, channel, bend < 0 ? bend / 8192.0 : bend / 8191.0);
    }
    default:
        return std::nullopt;
    }
}

} // namespace bandmate::core

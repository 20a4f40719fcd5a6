// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"

#include <bandmate/core/midi.hpp>

#include <vector>

using bandmate::core::event_of_midi;
using bandmate::protocol::EventType;

namespace
{

auto parse (const std::vector<uint8_t>& bytes)
{
    return event_of_midi (bytes.data(), bytes.size());
}

} // namespace

TEST_CASE ("MIDI messages become events")
{
    const auto on = parse ({0x93, 60, 127});
    REQUIRE (on);
    CHECK (on->type == EventType::note_on);
    CHECK (on->channel == 3);
    CHECK (on->index == 60);
    CHECK (on->value == 1.0);

    CHECK (parse ({0x90, 60, 0})->type == EventType::note_off);
    CHECK (parse ({0x80, 60, 64})->type == EventType::note_off);
    CHECK (parse ({0xb0, 64, 127})->type == EventType::control);
    CHECK (parse ({0xb5, 123, 0})->type == EventType::all_notes_off);
    CHECK (parse ({0xb5, 120, 0})->channel == 5);
    CHECK (parse ({0xe0, 0, 0})->value == -1.0);
    CHECK (parse ({0xe0, 0, 64})->value == 0.0);
    CHECK (parse ({0xe0, 127, 127})->value == 1.0);
    CHECK (parse ({0xd0, 127})->index == bandmate::protocol::any_pitch);
    CHECK (parse ({0xa0, 61, 127})->index == 61);
}

TEST_CASE ("Every three bytes give a legal event or none")
{
    int illegal = 0;
    for (int status = 0; status < 256; ++status)
        for (int first = 0; first < 256; first += 5)
            for (int second = 0; second < 256; second += 3)
                for (std::size_t size = 0; size <= 3; ++size)
                {
                    const uint8_t bytes[] = {static_cast<uint8_t> (status), static_cast<uint8_t> (first),
                                             static_cast<uint8_t> (second)};
                    const auto event = event_of_midi (bytes, size);
                    illegal += event && !bandmate::protocol::is_legal (*event) ? 1 : 0;
                }
    CHECK (illegal == 0);
}

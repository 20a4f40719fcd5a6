// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <cstring>
#include <limits>

using namespace bandmate::test;
using namespace bandmate::protocol;

TEST_CASE ("Every event vector has its fields, its bytes and its verdict", "[vectors]")
{
    for (const auto& vector : vectors ("events.json"))
    {
        CAPTURE (vector["name"].get<std::string>());
        const auto bytes = from_hex (vector["hex"]);
        REQUIRE (bytes.size() == sizeof (Event));
        Event event;
        std::memcpy (&event, bytes.data(), sizeof event);
        const auto& fields = vector["fields"];
        CHECK (fields["time"] == event.time);
        CHECK (fields["type"] == static_cast<int> (event.type));
        CHECK (fields["channel"] == event.channel);
        CHECK (fields["index"] == event.index);
        CHECK (fields["aux"] == event.aux);
        if (fields.contains ("value"))
            CHECK (fields["value"] == event.value);
        CHECK (vector["is_legal"] == is_legal (event));
        CHECK (to_hex (std::string (reinterpret_cast<const char*> (&event), sizeof event)) == vector["hex"]);
    }
}

TEST_CASE ("The makers of events make legal ones", "[events]")
{
    CHECK (is_legal (Event::epoch_start (1, 0)));
    CHECK (is_legal (Event::note_on (1, 0, 60, 1.0)));
    CHECK (is_legal (Event::note_off (1, 0, 60)));
    CHECK (is_legal (Event::control (1, 0, 64, 1.0)));
    CHECK (is_legal (Event::pitch_bend (1, 0, -1.0)));
    CHECK (is_legal (Event::pressure (1, 0, any_pitch, 0.5)));
    CHECK (is_legal (Event::all_notes_off (1)));
    CHECK (is_legal (Event::transport (1, transport_flag::playing, 120.0, -48000)));
    for (std::uint32_t i = 0; i < parameter_count; ++i)
    {
        CHECK (static_cast<std::uint32_t> (parameters[i].id) == i);
        CHECK (is_legal (Event::parameter (1, parameters[i].id, parameters[i].initial)));
        CHECK (is_legal (Event::parameter (1, parameters[i].id, parameters[i].maximum)));
        CHECK_FALSE (is_legal (Event::parameter (1, parameters[i].id, parameters[i].maximum + 1.0)));
        CHECK_FALSE (
            is_legal (Event::parameter (1, parameters[i].id, std::numeric_limits<double>::quiet_NaN())));
    }
}

TEST_CASE ("A frame gets exactly the events before its end", "[events]")
{
    Pair pair;
    auto& in = pair.plugin.events();
    auto& out = pair.server.events();
    REQUIRE (in.push (Event::note_on (0, 0, 60, 1.0)));
    REQUIRE (in.push (Event::note_off (1919, 0, 60)));
    REQUIRE (in.push (Event::note_on (1920, 0, 62, 1.0)));

    Event events[8];
    REQUIRE (out.read (1920, events, 8) == 2);
    CHECK (events[1].time == 1919);
    CHECK (out.read (1920, events, 8) == 0);
    REQUIRE (out.read (3840, events, 8) == 1);
    CHECK (events[0].index == 62);
}

TEST_CASE ("Reading in small parts loses nothing", "[events]")
{
    Pair pair;
    for (std::uint64_t t = 0; t < 10; ++t)
        REQUIRE (pair.plugin.events().push (Event::note_on (t, 0, 60, 1.0)));
    Event event;
    for (std::uint64_t t = 0; t < 10; ++t)
    {
        REQUIRE (pair.server.events().read (100, &event, 1) == 1);
        CHECK (event.time == t);
    }
    CHECK (pair.server.events().read (100, &event, 1) == 0);
}

TEST_CASE ("Reading never passes the start of another epoch", "[events]")
{
    Pair pair;
    auto& in = pair.plugin.events();
    auto& out = pair.server.events();
    Event events[8];
    CHECK_FALSE (out.enter_newest_epoch().has_value());

    in.push (Event::epoch_start (1, 11));
    in.push (Event::note_on (0, 0, 60, 1.0));
    CHECK (out.read (1920, events, 8) == 0); // epoch 1 is not entered yet
    auto start = out.enter_newest_epoch();
    REQUIRE (start.has_value());
    CHECK (start->epoch == 1);
    CHECK (start->seed == 11);

    in.push (Event::epoch_start (2, 12));
    in.push (Event::note_on (0, 0, 61, 1.0));
    in.push (Event::epoch_start (3, 13));
    in.push (Event::note_on (5, 0, 62, 1.0));
    REQUIRE (out.read (1920, events, 8) == 1); // the rest of epoch 1
    CHECK (events[0].index == 60);
    CHECK (out.read (1920, events, 8) == 0);

    start = out.enter_newest_epoch(); // epoch 2 is over before it began
    REQUIRE (start.has_value());
    CHECK (start->epoch == 3);
    REQUIRE (out.read (1920, events, 8) == 1);
    CHECK (events[0].index == 62);
    CHECK_FALSE (out.enter_newest_epoch().has_value());
}

TEST_CASE ("Illegal records are skipped and counted, also where they would block", "[events]")
{
    Pair pair;
    auto& in = pair.plugin.events();
    auto& out = pair.server.events();
    in.push (Event::epoch_start (0, 0));              // no such epoch
    in.push (Event::note_on (1u << 31, 0, 200, 1.0)); // no such pitch, far in the future
    Event unknown = Event::note_on (1, 0, 60, 1.0);
    unknown.type = static_cast<EventType> (77);
    in.push (unknown);
    in.push (Event::note_on (2, 0, 60, 1.0));

    Event events[8];
    REQUIRE (out.read (1920, events, 8) == 1);
    CHECK (events[0].time == 2);
    CHECK (out.refused() == 3);
}

TEST_CASE ("A full event ring refuses and recovers", "[events]")
{
    Pair pair;
    auto& in = pair.plugin.events();
    auto& out = pair.server.events();
    for (std::uint64_t t = 0; t < 64; ++t)
        REQUIRE (in.push (Event::note_on (t, 0, 60, 1.0)));
    CHECK_FALSE (in.push (Event::note_on (64, 0, 60, 1.0)));
    CHECK (in.free_slots() == 0);

    Event events[64];
    REQUIRE (out.read (3, events, 64) == 3);
    CHECK (in.free_slots() == 3);
    CHECK (in.push (Event::epoch_start (2, 0)));
    REQUIRE (out.enter_newest_epoch().has_value());
    CHECK (in.free_slots() == 64);
}

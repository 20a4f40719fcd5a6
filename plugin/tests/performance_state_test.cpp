// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"

#include <bandmate/core/performance_state.hpp>

#include <cmath>
#include <utility>
#include <vector>

using bandmate::core::PerformanceState;
using namespace bandmate::protocol;

namespace
{

std::vector<Event> snapshot_of (const PerformanceState& state)
{
    std::vector<Event> events;
    state.snapshot ([&events] (const Event& event) { events.push_back (event); });
    return events;
}

} // namespace

TEST_CASE ("A snapshot says what is held and set, all of it legal and at time 0")
{
    PerformanceState state;
    state.apply (Event::note_on (5, 0, 60, 0.5));
    state.apply (Event::note_on (6, 1, 60, 0.7));
    state.apply (Event::note_on (7, 0, 64, 0.5));
    state.apply (Event::note_off (8, 0, 64));
    state.apply (Event::control (9, 0, 64, 1.0));
    state.apply (Event::pitch_bend (9, 2, -0.5));
    state.apply (Event::parameter (9, ParameterId::temperature, 0.25));
    const auto events = snapshot_of (state);

    REQUIRE (events.size() == parameter_count + 4);
    for (const auto& event : events)
    {
        CHECK (event.time == 0);
        CHECK (is_legal (event));
    }
    CHECK (events[static_cast<size_t> (ParameterId::temperature)].value == 0.25);
}

TEST_CASE ("A full snapshot keeps its promise of size")
{
    PerformanceState state;
    for (uint16_t channel = 0; channel < 16; ++channel)
    {
        state.apply (Event::pitch_bend (0, channel, 1.0));
        for (uint32_t i = 0; i < 128; ++i)
        {
            state.apply (Event::note_on (0, channel, i, 1.0));
            if (i != 121) // which is no controller but resets them all
                state.apply (Event::control (0, channel, i, 1.0));
        }
    }
    // No bend range was set, and data entry by itself says nothing.
    const auto full = PerformanceState::snapshot_events_maximum - 18 * 3 - 16 * 2;
    CHECK (snapshot_of (state).size() == full);
    state.apply (Event::all_notes_off (0, 3)); // the keys and the pedal
    CHECK (snapshot_of (state).size() == full - 129);
    state.apply (Event::control (0, 5, 121, 0.0)); // the rest of the controllers, and the bend
    CHECK (snapshot_of (state).size() == full - 129 - 127);
    state.release_all();
    CHECK (snapshot_of (state).size() == parameter_count);
}

TEST_CASE ("Bend ranges are told again, and outlive a reset")
{
    PerformanceState state;
    const auto set = [&state] (uint16_t channel, int rpn, int value)
    {
        state.apply (Event::control (0, channel, 101, 0.0));
        state.apply (Event::control (0, channel, 100, rpn / 127.0));
        state.apply (Event::control (0, channel, 6, value / 127.0));
        state.apply (Event::control (0, channel, 101, 1.0)); // none, as controllers end
        state.apply (Event::control (0, channel, 100, 1.0));
    };
    set (3, 0, 7);
    set (0, 6, 5); // MPE: a zone of channels 1 to 5, the one above included
    set (2, 0, 24);
    set (9, 0, 12);
    state.release_all();
    std::vector<std::pair<uint16_t, int>> told; // channel, value; which parameter it is comes before
    std::vector<int> parameters;
    for (const auto& event : snapshot_of (state))
        if (event.type == bandmate::protocol::EventType::control && event.index == 6)
            told.emplace_back (event.channel, static_cast<int> (std::lround (event.value * 127.0)));
        else if (event.type == bandmate::protocol::EventType::control && event.index == 100)
            parameters.push_back (static_cast<int> (std::lround (event.value * 127.0)));
    CHECK (told == std::vector<std::pair<uint16_t, int>>{{0, 5}, {2, 24}, {9, 12}});
    CHECK (parameters == std::vector<int>{6, 0, 0});
}

TEST_CASE ("Illegal events change nothing")
{
    PerformanceState state;
    CHECK_FALSE (state.apply (Event::note_on (0, 16, 60, 1.0)));
    CHECK_FALSE (state.apply (Event::parameter (0, ParameterId::temperature, 99.0)));
    CHECK_FALSE (state.apply (Event::parameter (
        0, ParameterId::temperature, state.parameter (static_cast<uint32_t> (ParameterId::temperature)))));
    CHECK (snapshot_of (state).size() == parameter_count);
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"

#include <bandmate/core/performance_state.hpp>

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
            state.apply (Event::control (0, channel, i, 1.0));
        }
    }
    CHECK (snapshot_of (state).size() == PerformanceState::snapshot_events_maximum);
    state.apply (Event::all_notes_off (0, 3));
    CHECK (snapshot_of (state).size() == PerformanceState::snapshot_events_maximum - 128);
    state.release_all();
    CHECK (snapshot_of (state).size() == parameter_count);
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

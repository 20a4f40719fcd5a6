// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model_facts.hpp"

#include <bandmate/protocol/events.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace bandmate::core
{

// What is held and set right now: enough to begin a new epoch in the middle of a performance. Owned by the
// audio thread.
class PerformanceState
{
public:
    // Takes in a MIDI or parameter event; false if it changes nothing.
    bool apply (const protocol::Event& event) noexcept;

    // Nothing is held or bent any more; parameters and bend ranges stay: a controller tells its range once.
    void release_all() noexcept;

    double parameter (uint32_t id) const noexcept { return parameters_[id]; }

    // Calls push (event) at time 0 for all that differs from a new session, parameters always. At most
    // snapshot_events_maximum calls.
    template <typename Push>
    void snapshot (Push push) const noexcept
    {
        for (uint32_t id = 0; id < protocol::parameter_count; ++id)
            push (protocol::Event::parameter (0, static_cast<protocol::ParameterId> (id), parameters_[id]));
        for (const auto& range : ranges_)
            if (range.is_told)
            {
                push (protocol::Event::control (0, range.channel, rpn_high, 0.0));
                push (protocol::Event::control (0, range.channel, rpn_low, range.rpn / 127.0));
                push (protocol::Event::control (0, range.channel, data_entry, range.value));
            }
        for (uint16_t channel = 0; channel < channels; ++channel)
        {
            const auto& state = channels_[channel];
            for (uint32_t i = 0; i < 128; ++i)
                if (state.control[i] > 0.0f && i != data_entry)
                    push (protocol::Event::control (0, channel, i, state.control[i]));
            if (state.bend != 0.0f)
                push (protocol::Event::pitch_bend (0, channel, state.bend));
            for (uint32_t pitch = 0; pitch < 128; ++pitch)
                if (state.velocity[pitch] > 0.0f)
                    push (protocol::Event::note_on (0, channel, pitch, state.velocity[pitch]));
        }
    }

    static constexpr uint16_t channels = 16;
    static constexpr uint32_t snapshot_events_maximum =
        protocol::parameter_count + channels * (128 + 1 + 128) + (channels + 2) * 3;

private:
    static constexpr uint32_t data_entry = 6;
    static constexpr uint32_t rpn_low = 100, rpn_high = 101;
    static constexpr int rpn_bend_range = 0, rpn_mpe = 6, rpn_none = 127 * 128 + 127;
    static constexpr uint16_t last_channel = channels - 1;

    // A registered parameter that bends are read by.
    struct Range
    {
        uint16_t channel = 0;
        int rpn = rpn_bend_range;
        bool is_told = false;
        float value = 0.0f;
    };

    void take_control (uint16_t channel, uint32_t number, float value) noexcept;
    void take_mpe (std::size_t zone, float value) noexcept;

    struct Channel
    {
        std::array<float, 128> velocity{}; // 0: not held
        std::array<float, 128> control{};
        float bend = 0.0f;
        int rpn = rpn_none; // the registered parameter that data entry goes to
    };

    // The two MPE zones first: they set what the channels after them may then change.
    static std::array<Range, channels + 2> no_ranges() noexcept;

    std::array<Channel, channels> channels_{};
    std::array<Range, channels + 2> ranges_ = no_ranges();
    ParameterValues parameters_ = initial_values();
};

} // namespace bandmate::core

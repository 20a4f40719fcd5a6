// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/protocol/events.hpp>
#include <bandmate/protocol/parameters.hpp>

#include <array>
#include <cstdint>

namespace bandmate::core
{

using ParameterValues = std::array<double, protocol::parameter_count>;

// What is held and set right now: enough to begin a new epoch in the middle of a performance. Owned by the
// audio thread.
class PerformanceState
{
public:
    PerformanceState() noexcept;

    // Takes in a MIDI or parameter event; false if it changes nothing.
    bool apply (const protocol::Event& event) noexcept;

    // Nothing is held or bent any more; parameters stay.
    void release_all() noexcept;

    double parameter (uint32_t id) const noexcept { return parameters_[id]; }

    // Calls push (event) at time 0 for all that differs from a new session, parameters always. At most
    // snapshot_events_maximum calls.
    template <typename Push>
    void snapshot (Push push) const noexcept
    {
        for (uint32_t id = 0; id < protocol::parameter_count; ++id)
            push (protocol::Event::parameter (0, static_cast<protocol::ParameterId> (id), parameters_[id]));
        for (uint16_t channel = 0; channel < channels; ++channel)
        {
            const auto& state = channels_[channel];
            for (uint32_t i = 0; i < 128; ++i)
                if (state.control[i] > 0.0f)
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
        protocol::parameter_count + channels * (128 + 1 + 128);

private:
    struct Channel
    {
        std::array<float, 128> velocity{}; // 0: not held
        std::array<float, 128> control{};
        float bend = 0.0f;
    };

    std::array<Channel, channels> channels_{};
    ParameterValues parameters_{};
};

} // namespace bandmate::core

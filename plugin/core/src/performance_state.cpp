// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/core/performance_state.hpp>

namespace bandmate::core
{

using protocol::Event;
using protocol::EventType;

PerformanceState::PerformanceState() noexcept
{
    for (uint32_t id = 0; id < protocol::parameter_count; ++id)
        parameters_[id] = protocol::parameters[id].initial;
}

bool PerformanceState::apply (const Event& event) noexcept
{
    if (!protocol::is_legal (event))
        return false;
    switch (event.type)
    {
    case EventType::note_on:
        channels_[event.channel].velocity[event.index] = static_cast<float> (event.value);
        return true;
    case EventType::note_off:
        channels_[event.channel].velocity[event.index] = 0.0f;
        return true;
    case EventType::control:
        channels_[event.channel].control[event.index] = static_cast<float> (event.value);
        return true;
    case EventType::pitch_bend:
        channels_[event.channel].bend = static_cast<float> (event.value);
        return true;
    case EventType::all_notes_off:
        for (uint16_t channel = 0; channel < channels; ++channel)
            if (event.channel == channel || event.channel == protocol::any_channel)
                channels_[channel].velocity.fill (0.0f);
        return true;
    case EventType::parameter:
    {
        const bool changed = parameters_[event.index] != event.value;
        parameters_[event.index] = event.value;
        return changed;
    }
    case EventType::epoch:
    case EventType::pressure: // momentary: nobody needs to hear of it again
    case EventType::transport:
        break;
    }
    return true;
}

void PerformanceState::release_all() noexcept
{
    channels_ = {};
}

} // namespace bandmate::core

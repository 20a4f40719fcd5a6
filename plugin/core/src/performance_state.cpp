// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/core/performance_state.hpp>

#include <algorithm>
#include <cmath>

namespace bandmate::core
{

using protocol::Event;
using protocol::EventType;

namespace
{

constexpr uint32_t sustain_pedal = 64;
constexpr uint32_t reset_all_controllers = 121;

} // namespace

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
        if (event.index == reset_all_controllers)
        {
            channels_[event.channel].control.fill (0.0f);
            channels_[event.channel].bend = 0.0f;
        }
        else
            take_control (event.channel, event.index, static_cast<float> (event.value));
        return true;
    case EventType::pitch_bend:
        channels_[event.channel].bend = static_cast<float> (event.value);
        return true;
    case EventType::all_notes_off:
        for (uint16_t channel = 0; channel < channels; ++channel)
            if (event.channel == channel || event.channel == protocol::any_channel)
            {
                channels_[channel].velocity.fill (0.0f);
                // The pedal goes up with the keys, as in the server: its own release may never come.
                channels_[channel].control[sustain_pedal] = 0.0f;
            }
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

void PerformanceState::take_control (uint16_t channel, uint32_t number, float value) noexcept
{
    auto& state = channels_[channel];
    state.control[number] = value;
    const auto whole = static_cast<int> (std::lround (value * 127.0f));
    if (number == rpn_high)
        state.rpn = whole * 128 + state.rpn % 128;
    else if (number == rpn_low)
        state.rpn = state.rpn / 128 * 128 + whole;
    if (number != data_entry)
        return;
    if (state.rpn == rpn_bend_range)
    {
        auto& range = ranges_[channel + std::size_t{2}];
        range.is_told = true;
        range.value = value;
    }
    else if (state.rpn == rpn_mpe && (channel == 0 || channel == last_channel))
        take_mpe (channel == 0 ? 0 : 1, value);
}

// The zone's members have its range from now on, whatever they were told before.
void PerformanceState::take_mpe (std::size_t zone, float value) noexcept
{
    ranges_[zone].is_told = true;
    ranges_[zone].value = value;
    const auto members = std::min (std::lround (value * 127.0f), long{last_channel});
    for (long i = 1; i <= members; ++i)
        ranges_[static_cast<std::size_t> (2 + (zone == 0 ? i : last_channel - i))].is_told = false;
}

std::array<PerformanceState::Range, PerformanceState::channels + 2> PerformanceState::no_ranges() noexcept
{
    std::array<Range, channels + 2> ranges;
    ranges[0] = {0, rpn_mpe, false, 0.0f};
    ranges[1] = {last_channel, rpn_mpe, false, 0.0f};
    for (uint16_t channel = 0; channel < channels; ++channel)
        ranges[channel + std::size_t{2}] = {channel, rpn_bend_range, false, 0.0f};
    return ranges;
}

void PerformanceState::release_all() noexcept
{
    channels_ = {};
}

} // namespace bandmate::core

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/core/performance_state.hpp>

#include <juce_audio_processors/juce_audio_processors.h>

#include <array>
#include <atomic>

namespace bandmate::plugin
{

// Parameter ids. Hosts store them in sessions and automation: they never change.
namespace parameter_id
{
inline const juce::String volume = "volume"; // dB
inline const juce::String mute = "mute";
inline const juce::String restart_on_play = "restart_on_play";

// Of the parameters that go to the server: their protocol name, style weights counted from 1 as users do.
juce::String of (protocol::ParameterId id);
} // namespace parameter_id

inline constexpr float volume_minimum_db = -60.0f; // and below: silence

juce::AudioProcessorValueTreeState::ParameterLayout make_parameter_layout();

// The parameters as the audio thread reads them: plain atomics that live as long as the tree.
class ParameterReader
{
public:
    explicit ParameterReader (juce::AudioProcessorValueTreeState& tree);

    core::ParameterValues for_server() const noexcept; // legal values only
    float gain() const noexcept;                       // volume and mute
    bool restart_on_play() const noexcept;

private:
    std::array<std::atomic<float>*, protocol::parameter_count> server_{};
    std::atomic<float>* volume_;
    std::atomic<float>* mute_;
    std::atomic<float>* restart_on_play_;
};

} // namespace bandmate::plugin

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "surface.hpp"

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
inline const juce::String surface = "surface";   // on: the surface weighs the styles, off: their own weights
inline const juce::String cursor_x = "cursor_x"; // 0..1
inline const juce::String cursor_y = "cursor_y"; // 0..1, from the top
inline const juce::String limiter = "limiter";
inline const juce::String bypass = "bypass";

// Of the parameters that go to the server: their protocol name, style weights counted from 1 as users do.
juce::String of (protocol::ParameterId id);

juce::String style_weight (int slot); // slot 0..5
juce::String style_mute (int slot);
} // namespace parameter_id

inline constexpr float volume_minimum_db = -60.0f; // and below: silence

juce::AudioProcessorValueTreeState::ParameterLayout make_parameter_layout();

// What a parameter does, in one sentence, for tooltips and screen readers. Empty for an unknown id.
juce::String parameter_help (const juce::String& id);

// The parameters as the audio thread reads them: plain atomics that live as long as the tree.
class ParameterReader
{
public:
    explicit ParameterReader (juce::AudioProcessorValueTreeState& tree);

    // Legal values only. The style weights are what is heard: by the surface or their own, 0 for a slot that
    // is muted.
    core::ParameterValues for_server (const SharedSurface& surface) const noexcept;
    StyleWeights style_weights (const SharedSurface& surface) const noexcept;

    float gain() const noexcept; // volume, mute and bypass
    bool limits() const noexcept;
    bool restart_on_play() const noexcept;

private:
    std::array<std::atomic<float>*, protocol::parameter_count> server_{};
    std::array<std::atomic<float>*, protocol::style_slots> mutes_{};
    std::atomic<float>* volume_;
    std::atomic<float>* mute_;
    std::atomic<float>* restart_on_play_;
    std::atomic<float>* surface_;
    std::atomic<float>* cursor_x_;
    std::atomic<float>* cursor_y_;
    std::atomic<float>* limiter_;
    std::atomic<float>* bypass_;
};

} // namespace bandmate::plugin

// SPDX-License-Identifier: GPL-3.0-or-later
#include "parameters.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr int version_hint = 1;

// JUCE carries parameters as float: whole numbers beyond 2^24 would not survive.
constexpr double seed_maximum = 65535.0;

juce::String title_of (protocol::ParameterId id)
{
    using Id = protocol::ParameterId;
    switch (id)
    {
    case Id::temperature:
        return "Temperature";
    case Id::top_k:
        return "Top K";
    case Id::guidance_style:
        return "Style Guidance";
    case Id::guidance_notes:
        return "Note Guidance";
    case Id::guidance_drums:
        return "Drum Guidance";
    case Id::drums:
        return "Drums";
    case Id::strum:
        return "Strum";
    case Id::midi_gate:
        return "MIDI Gate";
    case Id::unmask_width:
        return "Unmask Width";
    case Id::seed:
        return "Seed";
    default:
        return "Style " + juce::String (static_cast<int> (id) + 1);
    }
}

std::unique_ptr<juce::RangedAudioParameter> make_parameter (const protocol::Parameter& p)
{
    const juce::ParameterID id{parameter_id::of (p.id), version_hint};
    const auto title = title_of (p.id);
    const auto maximum = p.id == protocol::ParameterId::seed ? seed_maximum : p.maximum;
    if (p.is_whole && p.minimum == 0.0 && p.maximum == 1.0)
        return std::make_unique<juce::AudioParameterBool> (id, title, p.initial > 0.5);
    if (p.is_whole)
        return std::make_unique<juce::AudioParameterInt> (id, title, static_cast<int> (p.minimum),
                                                          static_cast<int> (maximum),
                                                          static_cast<int> (p.initial));
    const juce::NormalisableRange<float> range (static_cast<float> (p.minimum), static_cast<float> (maximum));
    return std::make_unique<juce::AudioParameterFloat> (id, title, range, static_cast<float> (p.initial));
}

} // namespace

juce::String parameter_id::of (protocol::ParameterId id)
{
    const auto number = static_cast<uint32_t> (id);
    if (number < protocol::style_slots)
        return "style_weight_" + juce::String (number + 1);
    return protocol::parameters[number].name;
}

juce::AudioProcessorValueTreeState::ParameterLayout make_parameter_layout()
{
    juce::AudioProcessorValueTreeState::ParameterLayout layout;
    for (const auto& parameter : protocol::parameters)
        layout.add (make_parameter (parameter));

    const auto decibels = juce::AudioParameterFloatAttributes().withLabel ("dB");
    layout.add (std::make_unique<juce::AudioParameterFloat> (
        juce::ParameterID{parameter_id::volume, version_hint}, "Volume",
        juce::NormalisableRange<float> (volume_minimum_db, 12.0f), 0.0f, decibels));
    layout.add (std::make_unique<juce::AudioParameterBool> (
        juce::ParameterID{parameter_id::mute, version_hint}, "Mute", false));
    layout.add (std::make_unique<juce::AudioParameterBool> (
        juce::ParameterID{parameter_id::restart_on_play, version_hint}, "Restart on Play", false));
    return layout;
}

ParameterReader::ParameterReader (juce::AudioProcessorValueTreeState& tree)
    : volume_ (tree.getRawParameterValue (parameter_id::volume)),
      mute_ (tree.getRawParameterValue (parameter_id::mute)),
      restart_on_play_ (tree.getRawParameterValue (parameter_id::restart_on_play))
{
    for (const auto& parameter : protocol::parameters)
        server_[static_cast<size_t> (parameter.id)] =
            tree.getRawParameterValue (parameter_id::of (parameter.id));
}

core::ParameterValues ParameterReader::for_server() const noexcept
{
    core::ParameterValues values{};
    for (size_t i = 0; i < values.size(); ++i)
    {
        const auto& parameter = protocol::parameters[i];
        const double raw = server_[i]->load (std::memory_order_relaxed);
        values[i] =
            juce::jlimit (parameter.minimum, parameter.maximum, parameter.is_whole ? std::round (raw) : raw);
    }
    return values;
}

float ParameterReader::gain() const noexcept
{
    if (mute_->load (std::memory_order_relaxed) > 0.5f)
        return 0.0f;
    return juce::Decibels::decibelsToGain (volume_->load (std::memory_order_relaxed), volume_minimum_db);
}

bool ParameterReader::restart_on_play() const noexcept
{
    return restart_on_play_->load (std::memory_order_relaxed) > 0.5f;
}

} // namespace bandmate::plugin

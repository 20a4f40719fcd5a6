// SPDX-License-Identifier: GPL-3.0-or-later
#include "parameters.hpp"

#include "parameter_text.hpp"

namespace bandmate::plugin
{

namespace
{

using Id = protocol::ParameterId;

// Of the version that a parameter came with: hosts that list parameters by number keep the order of old ones.
constexpr int first_version = 1;
constexpr int second_version = 2;

// JUCE carries parameters as float: whole numbers beyond 2^24 would not survive.
constexpr double seed_maximum = 65535.0;

bool is_style_weight (Id id)
{
    return static_cast<uint32_t> (id) < protocol::style_slots;
}

std::unique_ptr<juce::RangedAudioParameter> make_server_parameter (const protocol::Parameter& p)
{
    const juce::ParameterID id{parameter_id::of (p.id), first_version};
    const auto title = parameter_title (p.id);
    const auto maximum = p.id == Id::seed ? seed_maximum : p.maximum;
    if (p.id == Id::timing)
        return std::make_unique<juce::AudioParameterChoice> (id, title, juce::StringArray{"Tight", "Early"},
                                                             static_cast<int> (p.initial));
    if (p.is_whole && p.minimum == 0.0 && p.maximum == 1.0)
        return std::make_unique<juce::AudioParameterBool> (id, title, p.initial > 0.5);
    if (p.is_whole)
        return std::make_unique<juce::AudioParameterInt> (id, title, static_cast<int> (p.minimum),
                                                          static_cast<int> (maximum),
                                                          static_cast<int> (p.initial));
    const juce::NormalisableRange<float> range (static_cast<float> (p.minimum), static_cast<float> (maximum));
    return std::make_unique<juce::AudioParameterFloat> (id, title, range, static_cast<float> (p.initial),
                                                        is_style_weight (p.id) ? as_percent()
                                                                               : with_decimals (2));
}

std::unique_ptr<juce::RangedAudioParameter> make_switch (const juce::String& id, int version,
                                                         const juce::String& title, bool initial)
{
    return std::make_unique<juce::AudioParameterBool> (juce::ParameterID{id, version}, title, initial);
}

bool is_on (const std::atomic<float>* value) noexcept
{
    return value->load (std::memory_order_relaxed) > 0.5f;
}

} // namespace

juce::String parameter_id::of (protocol::ParameterId id)
{
    const auto number = static_cast<uint32_t> (id);
    if (number < protocol::style_slots)
        return style_weight (static_cast<int> (number));
    return protocol::parameters[number].name;
}

juce::String parameter_id::style_weight (int slot)
{
    return "style_weight_" + juce::String (slot + 1);
}

juce::String parameter_id::style_mute (int slot)
{
    return "style_mute_" + juce::String (slot + 1);
}

juce::AudioProcessorValueTreeState::ParameterLayout make_parameter_layout()
{
    juce::AudioProcessorValueTreeState::ParameterLayout layout;
    for (const auto& parameter : protocol::parameters)
        layout.add (make_server_parameter (parameter));

    layout.add (std::make_unique<juce::AudioParameterFloat> (
        juce::ParameterID{parameter_id::volume, first_version}, "Volume",
        juce::NormalisableRange<float> (volume_minimum_db, 12.0f), 0.0f, with_decimals (1).withLabel ("dB")));
    layout.add (make_switch (parameter_id::mute, first_version, "Mute", false));
    layout.add (make_switch (parameter_id::restart_on_play, first_version, "Restart on Play", false));

    for (int slot = 0; slot < static_cast<int> (protocol::style_slots); ++slot)
        layout.add (make_switch (parameter_id::style_mute (slot), second_version,
                                 "Style " + juce::String (slot + 1) + " Mute", false));
    layout.add (make_switch (parameter_id::surface, second_version, "Surface", false));
    for (const auto& [id, title] :
         {std::pair{parameter_id::cursor_x, "Cursor X"}, std::pair{parameter_id::cursor_y, "Cursor Y"}})
        layout.add (std::make_unique<juce::AudioParameterFloat> (juce::ParameterID{id, second_version}, title,
                                                                 juce::NormalisableRange<float> (0.0f, 1.0f),
                                                                 0.5f, as_percent()));
    layout.add (make_switch (parameter_id::limiter, second_version, "Limiter", true));
    layout.add (make_switch (parameter_id::bypass, second_version, "Bypass", false));
    return layout;
}

ParameterReader::ParameterReader (juce::AudioProcessorValueTreeState& tree)
    : volume_ (tree.getRawParameterValue (parameter_id::volume)),
      mute_ (tree.getRawParameterValue (parameter_id::mute)),
      restart_on_play_ (tree.getRawParameterValue (parameter_id::restart_on_play)),
      surface_ (tree.getRawParameterValue (parameter_id::surface)),
      cursor_x_ (tree.getRawParameterValue (parameter_id::cursor_x)),
      cursor_y_ (tree.getRawParameterValue (parameter_id::cursor_y)),
      limiter_ (tree.getRawParameterValue (parameter_id::limiter)),
      bypass_ (tree.getRawParameterValue (parameter_id::bypass))
{
    for (const auto& parameter : protocol::parameters)
        server_[static_cast<size_t> (parameter.id)] =
            tree.getRawParameterValue (parameter_id::of (parameter.id));
    for (size_t slot = 0; slot < mutes_.size(); ++slot)
        mutes_[slot] = tree.getRawParameterValue (parameter_id::style_mute (static_cast<int> (slot)));
}

core::ParameterValues ParameterReader::for_server (const SharedSurface& surface) const noexcept
{
    core::ParameterValues values{};
    for (size_t i = 0; i < values.size(); ++i)
    {
        const auto& parameter = protocol::parameters[i];
        const double raw = server_[i]->load (std::memory_order_relaxed);
        values[i] =
            juce::jlimit (parameter.minimum, parameter.maximum, parameter.is_whole ? std::round (raw) : raw);
    }
    const auto weights = style_weights (surface);
    std::copy (weights.begin(), weights.end(), values.begin());
    return values;
}

StyleWeights ParameterReader::style_weights (const SharedSurface& surface) const noexcept
{
    StyleWeights weights{};
    if (is_on (surface_))
    {
        auto sounding = surface.filled();
        for (size_t slot = 0; slot < sounding.size(); ++slot)
            sounding[slot] = sounding[slot] && !is_on (mutes_[slot]);
        return surface_weights (
            surface.points(), sounding,
            {cursor_x_->load (std::memory_order_relaxed), cursor_y_->load (std::memory_order_relaxed)});
    }
    for (size_t slot = 0; slot < weights.size(); ++slot)
        if (!is_on (mutes_[slot]))
            weights[slot] = juce::jlimit (0.0, 1.0, double{server_[slot]->load (std::memory_order_relaxed)});
    return weights;
}

float ParameterReader::gain() const noexcept
{
    if (is_on (mute_) || is_on (bypass_))
        return 0.0f;
    return juce::Decibels::decibelsToGain (volume_->load (std::memory_order_relaxed), volume_minimum_db);
}

bool ParameterReader::limits() const noexcept
{
    return is_on (limiter_);
}

bool ParameterReader::restart_on_play() const noexcept
{
    return is_on (restart_on_play_);
}

} // namespace bandmate::plugin

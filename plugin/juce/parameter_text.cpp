// SPDX-License-Identifier: GPL-3.0-or-later
#include "parameter_text.hpp"

#include "parameters.hpp"

namespace bandmate::plugin
{

using Id = protocol::ParameterId;

juce::String parameter_title (protocol::ParameterId id)
{
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
    case Id::timing:
        return "Timing";
    case Id::logit_guidance:
        return "Logit Guidance";
    default:
        return "Style " + juce::String (static_cast<int> (id) + 1);
    }
}

juce::AudioParameterFloatAttributes with_decimals (int decimals)
{
    return juce::AudioParameterFloatAttributes()
        .withStringFromValueFunction (
            [decimals] (float value, int)
            {
                // Not "-0.0"
                const auto text = juce::String (value, decimals);
                return text.containsAnyOf ("123456789") ? text : juce::String (0.0f, decimals);
            })
        .withValueFromStringFunction ([] (const juce::String& text) { return text.getFloatValue(); });
}

juce::AudioParameterFloatAttributes as_percent()
{
    return juce::AudioParameterFloatAttributes()
        // The sign is part of the text: a label would become part of the name in some hosts, and songs know
        // it.
        .withStringFromValueFunction ([] (float value, int)
                                      { return juce::String (100.0f * value, 1) + " %"; })
        .withValueFromStringFunction ([] (const juce::String& text)
                                      { return text.getFloatValue() / 100.0f; });
}

juce::String parameter_help (const juce::String& id)
{
    static const std::map<juce::String, juce::String> help{
        {parameter_id::of (Id::temperature),
         "How adventurous the model is: low repeats the likeliest, high surprises."},
        {parameter_id::of (Id::top_k), "How many of the likeliest sounds the model chooses between."},
        {parameter_id::of (Id::guidance_style), "How closely the model follows the styles."},
        {parameter_id::of (Id::guidance_notes), "How closely the model follows the notes you play."},
        {parameter_id::of (Id::guidance_drums), "How closely the model follows the drums switch."},
        {parameter_id::of (Id::drums), "Whether the model may drum."},
        {parameter_id::of (Id::strum), "Whether the model may strike held notes again."},
        {parameter_id::of (Id::midi_gate), "Silence while no note is held."},
        {parameter_id::of (Id::unmask_width),
         "Pitches this near to a held one are forbidden. 127: nothing but what you play. 0: the model adds "
         "what it likes."},
        {parameter_id::of (Id::seed),
         "Another seed, another take; the same seed, the same take. Counts from the next restart."},
        {parameter_id::of (Id::timing),
         "Tight: a note begins where it is played. Early: with the frame it is played in."},
        {parameter_id::of (Id::logit_guidance),
         "Guides the model's choices as well, at three times the work for the machine."},
        {parameter_id::volume, "Level of the output. At the bottom: silence."},
        {parameter_id::mute, "Silence; the music goes on behind it."},
        {parameter_id::restart_on_play, "Each start of the transport begins anew with the seed, so that a "
                                        "region sounds the same each time."},
        {parameter_id::surface, "On: the cursor on the surface weighs the styles. Off: their sliders do."},
        {parameter_id::cursor_x, "The cursor's place on the surface, from left to right."},
        {parameter_id::cursor_y, "The cursor's place on the surface, from top to bottom."},
        {parameter_id::limiter, "Bends what is louder than -1 dB so that nothing passes full scale."},
        {parameter_id::bypass, "Silence, with the latency kept: the host's own switch."},
    };
    if (const auto found = help.find (id); found != help.end())
        return found->second;
    const auto slot = id.getTrailingIntValue();
    if (id.startsWith ("style_weight_"))
        return "Share of style " + juce::String (slot) + " in the blend.";
    if (id.startsWith ("style_mute_"))
        return "Leaves style " + juce::String (slot) + " out of the blend.";
    return {};
}

} // namespace bandmate::plugin

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "session_state.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace bandmate::plugin
{

// Styles, their places on the surface, and the parameters that shape the sound.
struct Preset
{
    juce::String name;
    juce::String group;                                     // of the factory presets: a family of instruments
    SessionState session;                                   // of which only prompts, sounds and places count
    std::vector<std::pair<juce::String, float>> parameters; // id and value, in the parameter's own unit
};

// Those that come with the plugin. Songs know them by their number: only ever append.
const std::vector<Preset>& factory_presets();

// Whether presets set it: not what belongs to the track or the machine (level, bypass, restart, timing,
// seed).
bool is_preset_parameter (const juce::String& id);

// Completes a parameter tree of an older or damaged state: what is missing or no number gets its default.
void complete_parameters (juce::ValueTree& tree,
                          const juce::Array<juce::AudioProcessorParameter*>& parameters);

// A preset as a file's text and back; nullopt for what is no preset of Bandmate.
juce::String preset_to_text (const Preset& preset);
std::optional<Preset> preset_from_text (const juce::String& text);

// The user's own presets: a file each.
class PresetLibrary
{
public:
    explicit PresetLibrary (juce::File folder = default_folder()) : folder_ (std::move (folder)) {}

    static juce::File default_folder(); // in the user's settings; not made here

    juce::StringArray names() const; // in alphabetical order
    std::optional<Preset> load (const juce::String& name) const;
    bool save (const Preset& preset) const; // over one of the same name; false: it cannot be written
    bool remove (const juce::String& name) const;

    // What a file may be called; empty if nothing is left of it.
    static juce::String legal_name (const juce::String& name);

private:
    juce::File file_of (const juce::String& name) const;

    juce::File folder_;
};

} // namespace bandmate::plugin

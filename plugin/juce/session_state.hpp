// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "surface.hpp"

#include <bandmate/protocol/version.hpp>

#include <juce_audio_processors/juce_audio_processors.h>

#include <array>
#include <optional>
#include <string>

namespace bandmate::plugin
{

// A style made of sound: captured from the side chain or read from a file.
struct StyleSound
{
    std::string sound; // as the server gave it; empty: none
    std::string name;  // of the file, or where it came from; for the user

    bool operator== (const StyleSound& other) const { return sound == other.sound && name == other.name; }
};

// What a project stores of an instance beside its parameters.
struct SessionState
{
    std::string model; // kept even if this machine does not have it
    std::array<std::string, protocol::style_slots> prompts{"warm piano"};
    std::array<StyleSound, protocol::style_slots> sounds; // a slot that has one follows it, not its text
    SurfacePoints points = initial_surface_points();      // of the slots on the prompt surface
    std::string bank;                                     // absolute path of the armed bank; empty: none
    std::string latency; // auto, low, safe or milliseconds; empty: as the machine's settings say
    std::string preset;  // name of the preset it began with, for the user
    int program = 0;     // the factory preset chosen last

    bool operator== (const SessionState& other) const
    {
        return model == other.model && prompts == other.prompts && sounds == other.sounds &&
               points == other.points && bank == other.bank && latency == other.latency &&
               preset == other.preset && program == other.program;
    }

    bool is_filled (size_t slot) const { return !prompts[slot].empty() || !sounds[slot].sound.empty(); }
};

// The window as it was left, in logical pixels.
struct EditorSize
{
    int width = 0; // 0: never opened
    int height = 0;
};

struct LoadedState
{
    SessionState session;
    juce::ValueTree parameters;
    EditorSize editor;
};

// The block of bytes a host stores: XML with a version, so that later plugins read it.
juce::MemoryBlock save_state (const SessionState& session, const juce::ValueTree& parameters,
                              EditorSize editor);

// nullopt for bytes that no Bandmate has written. What is missing or too long comes back as its default or
// cut.
std::optional<LoadedState> load_state (const void* data, int bytes);

} // namespace bandmate::plugin

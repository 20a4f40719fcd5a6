// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/protocol/version.hpp>

#include <juce_audio_processors/juce_audio_processors.h>

#include <array>
#include <optional>
#include <string>

namespace bandmate::plugin
{

// What a project stores of an instance beside its parameters.
struct SessionState
{
    std::string model; // kept even if this machine does not have it
    std::array<std::string, protocol::style_slots> prompts{"warm piano"};

    bool operator== (const SessionState& other) const
    {
        return model == other.model && prompts == other.prompts;
    }
};

// The block of bytes a host stores: XML with a version, so that later plugins read it.
juce::MemoryBlock save_state (const SessionState& session, const juce::ValueTree& parameters);

struct LoadedState
{
    SessionState session;
    juce::ValueTree parameters;
};

// nullopt for bytes that no Bandmate has written. What is missing or too long comes back as its default or
// cut.
std::optional<LoadedState> load_state (const void* data, int bytes);

} // namespace bandmate::plugin

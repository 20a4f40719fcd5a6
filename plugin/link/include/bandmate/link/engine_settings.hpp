// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

namespace bandmate::link
{

// What a user sets in engine.json beside what `bandmate plugin install` writes there.
struct EngineSettings
{
    std::vector<std::string> command; // argv that starts the server
    std::string server_address;       // of a server elsewhere; empty: one of this machine
    std::string server_key;           // that it asks for

    bool operator== (const EngineSettings& other) const
    {
        return command == other.command && server_address == other.server_address &&
               server_key == other.server_key;
    }
};

// What is missing or broken comes back empty.
EngineSettings load_engine_settings();

// Replaces these keys of the file in one step and leaves the others as they are. Only its user may read it
// then: it may hold a key. Throws protocol::Error(io), with what to do.
void store_engine_settings (const EngineSettings& settings);

// A command as one line of text, and back: words, in double quotes where they hold a space or are empty.
std::string command_line (const std::vector<std::string>& command);
std::vector<std::string> words_of_line (const std::string& line);

} // namespace bandmate::link

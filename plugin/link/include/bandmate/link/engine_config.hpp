// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/core/model_facts.hpp>

#include <optional>
#include <string>
#include <vector>

namespace bandmate::link
{

// A server on another machine: tcp://HOST:PORT and what `bandmate key` prints there. No address: the server
// is on this machine.
struct ServerAddress
{
    std::string address;
    std::string key;

    bool operator== (const ServerAddress& other) const
    {
        return address == other.address && key == other.key;
    }
};

// What `bandmate plugin install` and the server tell the plugin through engine.json, so that it knows its
// latency before any server runs. The environment overrides: BANDMATE_SERVER_COMMAND (words, or a JSON list),
// BANDMATE_MODEL, BANDMATE_LATENCY, BANDMATE_SERVER_ADDRESS, BANDMATE_SERVER_KEY.
struct EngineConfig
{
    ServerAddress server;             // "server_address" and "server_key" of the file
    std::vector<std::string> command; // argv that starts the server
    std::string default_model;        // of new instances
    std::string latency;              // of instances that name none: see core::latency_choice
    std::vector<core::ModelFacts> models;
    std::string problem; // one line: why part of it is missing; empty when all is well

    std::optional<core::ModelFacts> find (const std::string& model) const;
};

// Reads the file; never throws for what is in it.
EngineConfig load_engine_config();

} // namespace bandmate::link

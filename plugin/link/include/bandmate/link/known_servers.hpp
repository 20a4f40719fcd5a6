// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/core/model_facts.hpp>
#include <bandmate/protocol/messages.hpp>

#include <optional>
#include <string>
#include <vector>

namespace bandmate::link
{

// What is remembered of a server on another machine, so that the latency is known before it answers.
struct KnownServer
{
    std::vector<core::ModelFacts> models;
    std::optional<double> network_ms; // measured
};

// Until it has been measured: most wired and many wireless networks of a house are quicker.
inline constexpr double network_unknown_ms = 50.0;

// By address; kept in remote.json beside engine.json, which other programs write. nullopt: never met.
std::optional<KnownServer> known_server (const std::string& address);

// What it has just said of its models. Neither throws: what cannot be kept is asked again.
void learn_models (const std::string& address, const std::vector<protocol::ModelInfo>& models);

// What has just been measured. As with budgets, a higher value counts at once, a lower one when it is below
// 70 % of the old. True if the value kept has changed.
bool learn_network (const std::string& address, double ms);

} // namespace bandmate::link

// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/engine_config.hpp>
#include <bandmate/link/folders.hpp>
#include <bandmate/link/known_servers.hpp>

#include "facts_json.hpp"

#include <fstream>
#include <sstream>

namespace bandmate::link
{

using nlohmann::json;

namespace
{

constexpr const char* remedy = "Run `bandmate plugin install`.";

std::vector<std::string> words_of (const std::string& text)
{
    if (!text.empty() && text.front() == '[')
        return json::parse (text).get<std::vector<std::string>>();
    std::istringstream stream (text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;)
        words.push_back (word);
    return words;
}

// The models are those of the other machine, once it has told them; what is missing here does not matter.
void use_remote (EngineConfig& config)
{
    config.problem.clear();
    const auto known = known_server (config.server.address);
    if (known && !known->models.empty())
    {
        config.models = known->models;
        if (config.default_model.empty())
            config.default_model = config.models.front().name;
    }
    for (auto& facts : config.models)
        facts.network_ms = known ? known->network_ms.value_or (network_unknown_ms) : network_unknown_ms;
}

} // namespace

std::optional<core::ModelFacts> EngineConfig::find (const std::string& model) const
{
    for (const auto& facts : models)
        if (facts.name == model)
            return facts;
    return std::nullopt;
}

EngineConfig load_engine_config()
{
    EngineConfig config;
    const auto path = config_folder() / "engine.json";
    try
    {
        if (std::ifstream file (path); file)
        {
            const auto root = json::parse (file);
            config.server = {root.value ("server_address", ""), root.value ("server_key", "")};
            config.command = root.at ("command").get<std::vector<std::string>>();
            config.default_model = root.at ("default_model").get<std::string>();
            config.latency = root.value ("latency", "");
            for (const auto& model : root.at ("models"))
                config.models.push_back (facts_of (model));
        }
        else
        {
            config.problem = path.string() + " is missing: Bandmate is not set up for this user. " + remedy;
        }
    }
    catch (const std::exception& error)
    {
        // The advice first: VST3 hosts show 127 characters of a status.
        config.problem = std::string ("The settings are broken. ") + remedy + " (" + path.string() + ": " +
                         error.what() + ")";
    }

    try
    {
        if (const auto command = environment ("BANDMATE_SERVER_COMMAND"); !command.empty())
            config.command = words_of (command);
    }
    catch (const std::exception&)
    {
        config.problem =
            "BANDMATE_SERVER_COMMAND is neither words nor a JSON list of words. Correct it or remove it.";
    }
    if (const auto model = environment ("BANDMATE_MODEL"); !model.empty())
        config.default_model = model;
    if (const auto latency = environment ("BANDMATE_LATENCY"); !latency.empty())
        config.latency = latency;
    if (const auto address = environment ("BANDMATE_SERVER_ADDRESS"); !address.empty())
        config.server.address = address;
    if (const auto key = environment ("BANDMATE_SERVER_KEY"); !key.empty())
        config.server.key = key;
    if (!config.server.address.empty())
        use_remote (config);
    return config;
}

} // namespace bandmate::link

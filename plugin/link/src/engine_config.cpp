// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/engine_config.hpp>
#include <bandmate/link/folders.hpp>

#include <bandmate/protocol/layout.hpp>
#include <bandmate/protocol/messages.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace bandmate::link
{

using nlohmann::json;

namespace
{

constexpr const char* remedy = "Run `bandmate plugin install`.";

uint32_t whole (const json& object, const char* key, uint64_t low, uint64_t high)
{
    const auto& value = object.at (key);
    if (!value.is_number_unsigned() || value.get<uint64_t>() < low || value.get<uint64_t>() > high)
        throw std::runtime_error (std::string ("'") + key + "' is out of range");
    return static_cast<uint32_t> (value.get<uint64_t>());
}

core::ModelFacts facts_of (const json& object)
{
    namespace limits = protocol::limits;
    core::ModelFacts facts;
    facts.name = object.at ("name").get<std::string>();
    facts.sample_rate_hz =
        whole (object, "sample_rate", limits::sample_rate_minimum, limits::sample_rate_maximum);
    facts.frame_samples = whole (object, "frame_samples", 1, limits::frame_samples_maximum);
    facts.channels = whole (object, "channels", 1, limits::channels_maximum);
    facts.delay_samples = whole (object, "delay_samples", 0, limits::frame_samples_maximum);
    // Not measured yet: no model in use may need longer than its frame lasts.
    facts.budget_ms = object.value ("budget_ms", 1000.0 * facts.frame_samples / facts.sample_rate_hz);
    if (!(facts.budget_ms >= 0.0 && facts.budget_ms <= protocol::milliseconds_maximum))
        throw std::runtime_error ("'budget_ms' is out of range");
    return facts;
}

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
            config.command = root.at ("command").get<std::vector<std::string>>();
            config.default_model = root.at ("default_model").get<std::string>();
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
    return config;
}

} // namespace bandmate::link

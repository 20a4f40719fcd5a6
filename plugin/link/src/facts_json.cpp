// SPDX-License-Identifier: GPL-3.0-or-later
#include "facts_json.hpp"

#include <bandmate/protocol/layout.hpp>
#include <bandmate/protocol/messages.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace bandmate::link
{

using nlohmann::json;

namespace
{

uint32_t whole (const json& object, const char* key, uint64_t low, uint64_t high)
{
    const auto& value = object.at (key);
    if (!value.is_number_unsigned() || value.get<uint64_t>() < low || value.get<uint64_t>() > high)
        throw std::runtime_error (std::string ("'") + key + "' is out of range");
    return static_cast<uint32_t> (value.get<uint64_t>());
}

} // namespace

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
    const auto defaults = object.value ("defaults", json::object());
    for (const auto& [name, value] : defaults.items())
        for (const auto& parameter : protocol::parameters)
            if (name == parameter.name && value.is_number() &&
                protocol::is_legal_parameter (static_cast<uint32_t> (parameter.id), value.get<double>()))
                facts.defaults[static_cast<size_t> (parameter.id)] = value.get<double>();
    return facts;
}

json json_of (const core::ModelFacts& facts)
{
    return {{"name", facts.name},
            {"sample_rate", facts.sample_rate_hz},
            {"frame_samples", facts.frame_samples},
            {"channels", facts.channels},
            {"delay_samples", facts.delay_samples},
            {"budget_ms", facts.budget_ms}};
}

} // namespace bandmate::link

// SPDX-License-Identifier: GPL-3.0-or-later
// A model's entry in the settings files.
#pragma once

#include <bandmate/core/model_facts.hpp>

#include <nlohmann/json.hpp>

namespace bandmate::link
{

// Throws std::exception for an entry that is none.
core::ModelFacts facts_of (const nlohmann::json& object);

nlohmann::json json_of (const core::ModelFacts& facts);

} // namespace bandmate::link

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <string>

namespace bandmate::link
{

// Value of an environment variable; empty when not set.
std::string environment (const char* name);

// The private folder of socket, discovery file and segments, made if missing. Throws protocol::Error(io) when
// it cannot be made or others may look into it.
std::filesystem::path runtime_folder();

// Where engine.json is. Not made here.
std::filesystem::path config_folder();

// Where the server writes what it has to say.
std::filesystem::path log_file();

} // namespace bandmate::link

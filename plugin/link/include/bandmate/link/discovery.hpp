// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace bandmate::link
{

// The server that runs for this user, by its discovery file.
struct ServerRecord
{
    int pid = 0;
    std::string endpoint;
    std::string token;
    std::string version;

    bool operator== (const ServerRecord& other) const { return pid == other.pid && token == other.token; }
};

// nullopt when there is no file, it is not private to this user, cannot be read, or its process is gone.
std::optional<ServerRecord> find_server (const std::filesystem::path& runtime_folder);

// False once the process has ended, waited for or not.
bool is_process_alive (int pid);

} // namespace bandmate::link

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bandmate::link
{

// Starts the server so that it outlives the plugin and the host. All plugin instances of a process share one
// launch: ten tracks that load at once must not start ten servers (the server's own lock settles it between
// processes).
class ServerLauncher
{
public:
    enum class Outcome
    {
        started, // by this call
        running, // one started earlier by this process has not ended
    };

    // Throws protocol::Error(io) if the command cannot be run at all.
    static Outcome launch (const std::vector<std::string>& command, const std::filesystem::path& log);

    // Exit status of the last server this process started; -1 while it runs or when there was none.
    static int exit_status();
};

} // namespace bandmate::link

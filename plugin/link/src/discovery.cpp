// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/discovery.hpp>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bandmate::link
{

std::optional<ServerRecord> find_server (const std::filesystem::path& runtime_folder)
{
    const auto path = runtime_folder / "server.json";
    struct stat info;
    if (::lstat (path.c_str(), &info) != 0 || !S_ISREG (info.st_mode) || info.st_uid != ::getuid() ||
        (info.st_mode & 077) != 0)
        return std::nullopt;
    try
    {
        std::ifstream file (path);
        const auto root = nlohmann::json::parse (file);
        ServerRecord record;
        record.pid = root.at ("pid").get<int>();
        record.endpoint = root.at ("endpoint").get<std::string>();
        record.token = root.at ("token").get<std::string>();
        record.version = root.at ("version").get<std::string>();
        if (record.pid > 0 && is_process_alive (record.pid))
            return record;
    }
    catch (const nlohmann::json::exception&)
    {
        // Not a discovery file: as good as none, the next server replaces it.
    }
    return std::nullopt;
}

bool is_process_alive (int pid)
{
    // A child that has ended answers to kill() until someone waits for it. Only look: it may be the host's
    // child.
    siginfo_t info{};
    if (::waitid (P_PID, static_cast<id_t> (pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid)
        return false;
    return ::kill (pid, 0) == 0 || errno == EPERM;
}

} // namespace bandmate::link

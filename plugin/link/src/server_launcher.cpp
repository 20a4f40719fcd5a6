// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/server_launcher.hpp>

#include <bandmate/protocol/errors.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <spawn.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace bandmate::link
{

namespace
{

std::mutex guard; // link threads only
pid_t child = 0;
int child_exit_status = -1;

// Hosts set these for themselves; a Python started with them would load the host's libraries, or none.
constexpr std::array<std::string_view, 7> host_variables{
    "LD_LIBRARY_PATH=", "LD_PRELOAD=", "DYLD_LIBRARY_PATH=", "DYLD_INSERT_LIBRARIES=",
    "PYTHONHOME=",      "PYTHONPATH=", "PYTHONSTARTUP=",
};

std::vector<char*> clean_environment()
{
    std::vector<char*> kept;
    for (char** entry = environ; *entry != nullptr; ++entry)
    {
        const std::string_view text (*entry);
        const bool drop =
            std::any_of (host_variables.begin(), host_variables.end(),
                         [text] (std::string_view name) { return text.substr (0, name.size()) == name; });
        if (!drop)
            kept.push_back (*entry);
    }
    kept.push_back (nullptr);
    return kept;
}

void reap()
{
    int status = 0;
    if (child == 0)
        return;
    const auto ended = ::waitpid (child, &status, WNOHANG);
    if (ended == child)
        child_exit_status = WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
    else if (ended == -1 && errno == ECHILD && ::kill (child, 0) != 0)
        child_exit_status = 0; // the host has waited for it
    else
        return;
    child = 0;
}

// In its own session: a signal to the host's group or the end of its terminal is not for the server.
int spawn (const std::vector<std::string>& command, const std::filesystem::path& log, pid_t& pid)
{
    std::vector<char*> argv;
    for (const auto& word : command)
        argv.push_back (const_cast<char*> (word.c_str()));
    argv.push_back (nullptr);
    auto variables = clean_environment();

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init (&files);
    posix_spawn_file_actions_addopen (&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen (&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                      0600);
    posix_spawn_file_actions_adddup2 (&files, STDOUT_FILENO, STDERR_FILENO);

    posix_spawnattr_t attributes;
    posix_spawnattr_init (&attributes);
    sigset_t none, standard;
    sigemptyset (&none);
    sigfillset (&standard);
    posix_spawnattr_setsigmask (&attributes, &none);
    posix_spawnattr_setsigdefault (&attributes, &standard);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID;
#if defined(__APPLE__)
    flags |= POSIX_SPAWN_CLOEXEC_DEFAULT; // the host's sockets and devices stay the host's
#else
    posix_spawn_file_actions_addclosefrom_np (&files, STDERR_FILENO + 1);
#endif
    posix_spawnattr_setflags (&attributes, flags);
    const int failure =
        ::posix_spawnp (&pid, argv.front(), &files, &attributes, argv.data(), variables.data());
    posix_spawnattr_destroy (&attributes);
    posix_spawn_file_actions_destroy (&files);
    return failure;
}

} // namespace

ServerLauncher::Outcome ServerLauncher::launch (const std::vector<std::string>& command,
                                                const std::filesystem::path& log)
{
    const std::lock_guard lock (guard);
    reap();
    if (child != 0)
        return Outcome::running;
    if (command.empty())
        throw protocol::Error (protocol::error_code::io, "It is not known how to start the Bandmate server.",
                               "Run `bandmate plugin install`.");
    std::error_code ignored; // a missing folder shows as a failed start
    std::filesystem::create_directories (log.parent_path(), ignored);
    if (const int failure = spawn (command, log, child); failure != 0)
    {
        child = 0;
        throw protocol::Error (protocol::error_code::io,
                               "The server's command " + command.front() + " cannot be run (" +
                                   std::strerror (failure) + ").",
                               "Run `bandmate plugin install` again.");
    }
    child_exit_status = -1;
    return Outcome::started;
}

int ServerLauncher::exit_status()
{
    const std::lock_guard lock (guard);
    reap();
    return child_exit_status;
}

} // namespace bandmate::link

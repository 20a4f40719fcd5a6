// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/folders.hpp>

#include <bandmate/protocol/errors.hpp>

#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace bandmate::link
{

namespace fs = std::filesystem;
using protocol::Error;

namespace
{

#if defined(__APPLE__)
constexpr bool is_macos = true;
#else
constexpr bool is_macos = false;
#endif

constexpr const char* runtime_hint = "Set BANDMATE_RUNTIME_DIR to a folder of your own.";

fs::path first_of (const char* variable, const fs::path& otherwise)
{
    const auto named = environment (variable);
    return named.empty() ? otherwise : fs::path (named);
}

fs::path home()
{
    return environment ("HOME");
}

fs::path runtime_path()
{
    const auto own_name = "bandmate-" + std::to_string (::getuid());
    if (const auto named = environment ("BANDMATE_RUNTIME_DIR"); !named.empty())
        return named;
    if (is_macos)
        return first_of ("TMPDIR", "/tmp") / own_name;
    if (const auto base = environment ("XDG_RUNTIME_DIR"); !base.empty())
        return fs::path (base) / "bandmate";
    return fs::path ("/tmp") / own_name;
}

} // namespace

std::string environment (const char* name)
{
    const char* value = std::getenv (name);
    return value == nullptr ? std::string() : std::string (value);
}

fs::path runtime_folder()
{
    const auto path = runtime_path();
    std::error_code failure;
    if (!fs::exists (path, failure))
    {
        fs::create_directories (path.parent_path(), failure);
        if (::mkdir (path.c_str(), 0700) != 0 && !fs::is_directory (path, failure))
            throw Error (protocol::error_code::io, "The folder " + path.string() + " cannot be made.",
                         runtime_hint);
    }
    struct stat info;
    if (::lstat (path.c_str(), &info) != 0 || !S_ISDIR (info.st_mode))
        throw Error (protocol::error_code::io, path.string() + " is not a folder.", runtime_hint);
    if (info.st_uid != ::getuid())
        throw Error (protocol::error_code::io, path.string() + " belongs to another user.", runtime_hint);
    // Ours, but open to others: made by hand or under a loose umask. Closing it is what is wanted.
    if ((info.st_mode & 077) != 0 && ::chmod (path.c_str(), 0700) != 0)
        throw Error (protocol::error_code::io, path.string() + " is open to other users.", runtime_hint);
    return path;
}

fs::path config_folder()
{
    if (const auto named = environment ("BANDMATE_CONFIG_DIR"); !named.empty())
        return named;
    if (is_macos)
        return home() / "Library" / "Application Support" / "Bandmate";
    return first_of ("XDG_CONFIG_HOME", home() / ".config") / "bandmate";
}

fs::path log_file()
{
    if (const auto named = environment ("BANDMATE_CONFIG_DIR"); !named.empty())
        return fs::path (named) / "server.log";
    if (is_macos)
        return home() / "Library" / "Logs" / "Bandmate" / "server.log";
    return first_of ("XDG_STATE_HOME", home() / ".local" / "state") / "bandmate" / "server.log";
}

} // namespace bandmate::link

// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/folders.hpp>
#include <bandmate/link/known_servers.hpp>

#include "facts_json.hpp"

#include <fstream>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>

namespace bandmate::link
{

using nlohmann::json;

namespace
{

constexpr double lower_below = 0.7;

std::mutex guard; // instances of one process; those of others at worst forget a measurement

std::filesystem::path file_path()
{
    return config_folder() / "remote.json";
}

// {} for a file that is missing or broken: it is written anew.
json read_servers()
{
    try
    {
        std::ifstream file (file_path());
        auto servers = json::parse (file).at ("servers");
        if (servers.is_object())
            return servers;
    }
    catch (const std::exception&)
    {
    }
    return json::object();
}

void write_servers (const json& servers)
{
    std::error_code failure;
    const auto path = file_path();
    std::filesystem::create_directories (path.parent_path(), failure);
    const auto temporary = path.parent_path() / (".remote-" + std::to_string (::getpid()));
    {
        std::ofstream file (temporary);
        file << json{{"servers", servers}}.dump (2) << "\n";
        if (!file.flush())
            failure = std::make_error_code (std::errc::io_error);
    }
    ::chmod (temporary.c_str(), 0600);
    if (!failure)
        std::filesystem::rename (temporary, path, failure);
    if (failure)
        std::filesystem::remove (temporary, failure);
}

std::optional<KnownServer> read_entry (const json& servers, const std::string& address)
{
    const auto found = servers.find (address);
    if (found == servers.end())
        return std::nullopt;
    try
    {
        KnownServer server;
        for (const auto& model : found->at ("models"))
            server.models.push_back (facts_of (model));
        if (found->contains ("network_ms"))
            server.network_ms = found->at ("network_ms").get<double>();
        if (server.network_ms && !(*server.network_ms >= 0.0 && *server.network_ms <= 1000.0))
            server.network_ms.reset();
        return server;
    }
    catch (const std::exception&)
    {
        return std::nullopt;
    }
}

template <typename Change>
void change_entry (const std::string& address, Change change)
{
    auto servers = read_servers();
    auto entry = servers.value (address, json::object());
    if (!entry.is_object())
        entry = json::object();
    if (!entry.contains ("models"))
        entry["models"] = json::array();
    const auto before = entry;
    change (entry);
    if (entry == before && servers.contains (address))
        return;
    servers[address] = entry;
    write_servers (servers);
}

} // namespace

std::optional<KnownServer> known_server (const std::string& address)
{
    const std::lock_guard lock (guard);
    return read_entry (read_servers(), address);
}

void learn_models (const std::string& address, const std::vector<protocol::ModelInfo>& models)
{
    auto list = json::array();
    for (const auto& model : models)
    {
        const auto& frame = model.frame;
        // As in engine.json: not measured yet is as long as a frame lasts.
        const double budget =
            model.budget_ms > 0.0 ? model.budget_ms : 1000.0 * frame.frame_samples / frame.sample_rate;
        list.push_back (json_of ({model.name, frame.sample_rate, frame.frame_samples, frame.channels,
                                  frame.delay_samples, budget}));
    }
    const std::lock_guard lock (guard);
    change_entry (address, [&list] (json& entry) { entry["models"] = list; });
}

bool learn_network (const std::string& address, double ms)
{
    const std::lock_guard lock (guard);
    const auto known = read_entry (read_servers(), address);
    if (known && known->network_ms && ms <= *known->network_ms && ms >= lower_below * *known->network_ms)
        return false;
    change_entry (address, [ms] (json& entry) { entry["network_ms"] = ms; });
    return true;
}

} // namespace bandmate::link

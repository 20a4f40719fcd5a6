// SPDX-License-Identifier: GPL-3.0-or-later
// Folders of a test's own, and the tone server as the one that plugins start there.
#pragma once

#include <bandmate/link/discovery.hpp>
#include <bandmate/link/folders.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace bandmate::tests
{

// Polls until `done` or the limit; true if done.
inline bool wait_for (const std::function<bool()>& done,
                      std::chrono::milliseconds limit = std::chrono::seconds (20))
{
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done())
    {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::sleep_for (std::chrono::milliseconds (1));
    }
    return true;
}

class ServerFixture
{
public:
    explicit ServerFixture (std::vector<std::string> command = {BANDMATE_TONE_SERVER})
    {
        static int number = 0;
        folder_ = std::filesystem::temp_directory_path() /
                  ("bandmate-" + std::to_string (::getpid()) + "-" + std::to_string (++number));
        std::filesystem::create_directories (folder_ / "config");
        ::setenv ("BANDMATE_RUNTIME_DIR", (folder_ / "run").c_str(), 1);
        ::setenv ("BANDMATE_CONFIG_DIR", (folder_ / "config").c_str(), 1);
        ::unsetenv ("BANDMATE_SERVER_COMMAND");
        ::unsetenv ("BANDMATE_MODEL");
        ::unsetenv ("BANDMATE_SERVER_ADDRESS");
        ::unsetenv ("BANDMATE_SERVER_KEY");
        write_config (std::move (command));
    }

    ~ServerFixture()
    {
        kill_server();
        std::error_code ignored;
        std::filesystem::remove_all (folder_, ignored);
    }

    void write_config (std::vector<std::string> command)
    {
        nlohmann::json tone{{"name", "tone"}, {"frame_samples", 1920}, {"sample_rate", 48000},
                            {"channels", 2},  {"delay_samples", 0},    {"budget_ms", 1.0}};
        auto soft_tone = tone;
        soft_tone["name"] = "soft tone";
        soft_tone["delay_samples"] = 480;
        soft_tone["defaults"] = {{"temperature", 0.5}, {"top_k", 7}};
        const nlohmann::json config{
            {"command", command}, {"default_model", "tone"}, {"models", {tone, soft_tone}}};
        std::ofstream (folder_ / "config" / "engine.json") << config;
    }

    // Known to this machine, but not to the server.
    void add_model (const std::string& name)
    {
        const auto path = folder_ / "config" / "engine.json";
        nlohmann::json config;
        std::ifstream (path) >> config;
        config["models"].push_back (config["models"][0]);
        config["models"].back()["name"] = name;
        std::ofstream (path) << config;
    }

    std::filesystem::path runtime() const { return link::runtime_folder(); }

    // Kills it as a crash would; it leaves all its files.
    void kill_server()
    {
        if (const auto server = link::find_server (runtime()))
        {
            ::kill (server->pid, SIGKILL);
            wait_for ([&server] { return !link::is_process_alive (server->pid); });
        }
    }

private:
    std::filesystem::path folder_;
};

} // namespace bandmate::tests

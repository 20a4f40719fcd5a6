// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/engine_settings.hpp>
#include <bandmate/link/folders.hpp>

#include <bandmate/protocol/errors.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <unistd.h>

namespace bandmate::link
{

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::Error;

namespace
{

fs::path file_path()
{
    return config_folder() / "engine.json";
}

json read_file()
{
    std::ifstream file (file_path());
    auto root = file ? json::parse (file, nullptr, false) : json::object();
    return root.is_object() ? root : json::object();
}

std::string text_of (const json& root, const char* key)
{
    const auto found = root.find (key);
    return found != root.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void set_text (json& root, const char* key, const std::string& text)
{
    if (text.empty())
        root.erase (key);
    else
        root[key] = text;
}

} // namespace

EngineSettings load_engine_settings()
{
    const auto root = read_file();
    EngineSettings settings;
    settings.server_address = text_of (root, "server_address");
    settings.server_key = text_of (root, "server_key");
    if (const auto command = root.find ("command"); command != root.end() && command->is_array())
        for (const auto& word : *command)
            if (word.is_string())
                settings.command.push_back (word.get<std::string>());
    return settings;
}

void store_engine_settings (const EngineSettings& settings)
{
    const auto path = file_path();
    const auto refuse = [&path]
    {
        throw Error (protocol::error_code::io, path.string() + " cannot be written.",
                     "Free space there, or set BANDMATE_CONFIG_DIR to a folder of yours.");
    };
    auto root = read_file();
    root["command"] = settings.command;
    set_text (root, "server_address", settings.server_address);
    set_text (root, "server_key", settings.server_key);

    std::error_code failure;
    fs::create_directories (path.parent_path(), failure);
    const auto temporary = path.string() + ".new-" + std::to_string (::getpid());
    {
        std::ofstream file (temporary, std::ios::trunc);
        fs::permissions (temporary, fs::perms::owner_read | fs::perms::owner_write, failure);
        file << root.dump (2, ' ', false, json::error_handler_t::replace) << '\n';
        file.flush();
        if (!file || failure)
        {
            fs::remove (temporary, failure);
            refuse();
        }
    }
    fs::rename (temporary, path, failure);
    if (failure)
    {
        fs::remove (temporary, failure);
        refuse();
    }
}

std::string command_line (const std::vector<std::string>& command)
{
    std::string line;
    for (const auto& word : command)
    {
        if (!line.empty())
            line += ' ';
        if (!word.empty() && word.find_first_of (" \t\"\\") == std::string::npos)
        {
            line += word;
            continue;
        }
        line += '"';
        for (const char c : word)
        {
            if (c == '"' || c == '\\')
                line += '\\';
            line += c;
        }
        line += '"';
    }
    return line;
}

std::vector<std::string> words_of_line (const std::string& line)
{
    std::vector<std::string> words;
    std::string word;
    bool is_quoted = false, has_word = false;
    for (std::size_t i = 0; i < line.size(); ++i)
    {
        const char c = line[i];
        if (c == '"')
        {
            is_quoted = !is_quoted;
            has_word = true;
        }
        else if (is_quoted && c == '\\' && i + 1 < line.size())
            word += line[++i];
        else if (!is_quoted && (c == ' ' || c == '\t' || c == '\n'))
        {
            if (has_word)
                words.push_back (std::exchange (word, {}));
            has_word = false;
        }
        else
        {
            word += c;
            has_word = true;
        }
    }
    if (has_word)
        words.push_back (word);
    return words;
}

} // namespace bandmate::link

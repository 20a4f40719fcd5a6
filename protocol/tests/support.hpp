// SPDX-License-Identifier: Apache-2.0
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <bandmate/protocol/segment.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace bandmate::test
{

using nlohmann::json;
namespace protocol = bandmate::protocol;

// A file name of its own in the system's temporary folder; the file goes when this goes.
class TemporaryPath
{
public:
    TemporaryPath()
    {
        static int count = 0;
        path_ = (std::filesystem::temp_directory_path() /
                 ("bandmate-protocol-test-" + std::to_string (protocol::process_id()) + "-" +
                  std::to_string (++count)))
                    .string();
        std::filesystem::remove_all (path_);
    }
    ~TemporaryPath() { std::filesystem::remove_all (path_); }
    TemporaryPath (const TemporaryPath&) = delete;
    TemporaryPath& operator= (const TemporaryPath&) = delete;

    const std::string& string() const { return path_; }

private:
    std::string path_;
};

// A small segment seen from both sides.
struct Pair
{
    explicit Pair (protocol::Capacities capacities = {64, 4, 4}, protocol::FrameShape shape = {48000, 2, 3})
        : plugin (protocol::Segment::create (path.string(), shape, capacities)),
          server (protocol::Segment::attach (path.string()))
    {
    }

    TemporaryPath path;
    protocol::Segment plugin;
    protocol::Segment server;
};

inline json vectors (const std::string& name)
{
    std::ifstream file (std::string (BANDMATE_VECTORS) + "/" + name);
    REQUIRE (file.good());
    return json::parse (file);
}

inline std::string from_hex (const std::string& hex)
{
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back (static_cast<char> (std::stoi (hex.substr (i, 2), nullptr, 16)));
    return bytes;
}

inline std::string to_hex (const std::string& bytes)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const char byte : bytes)
    {
        hex.push_back (digits[(static_cast<unsigned char> (byte) >> 4) & 15]);
        hex.push_back (digits[static_cast<unsigned char> (byte) & 15]);
    }
    return hex;
}

// The code of the Error that `action` throws, "" if it throws none.
template <typename Action>
std::string refusal (Action action)
{
    try
    {
        action();
    }
    catch (const protocol::Error& error)
    {
        return error.code();
    }
    return "";
}

} // namespace bandmate::test

// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/access_key.hpp>

#include <bandmate/protocol/errors.hpp>

#include <zmq.h>

#include <array>
#include <cctype>
#include <cstdint>
#include <string_view>

namespace bandmate::link
{

using protocol::Error;

namespace
{

constexpr std::string_view prefix = "bm1";
constexpr std::size_t key_bytes = 32;
constexpr std::size_t z85_characters = 40;

int digit (char c)
{
    const auto lower = static_cast<char> (std::tolower (static_cast<unsigned char> (c)));
    if (lower >= '0' && lower <= '9')
        return lower - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string_view trimmed (std::string_view text)
{
    constexpr const char* blanks = " \t\r\n";
    const auto begin = text.find_first_not_of (blanks);
    if (begin == std::string_view::npos)
        return {};
    return text.substr (begin, text.find_last_not_of (blanks) - begin + 1);
}

std::string z85 (const std::uint8_t* key)
{
    std::array<char, z85_characters + 1> text{};
    zmq_z85_encode (text.data(), key, key_bytes);
    return text.data();
}

} // namespace

AccessKey parse_access_key (const std::string& text)
{
    const auto refuse = []
    {
        throw Error (protocol::error_code::bad_field, "This is no access key.",
                     "Copy it again: `bandmate key` prints it on the server's machine.");
    };
    if (zmq_has ("curve") == 0)
        throw Error (protocol::error_code::internal, "This plugin was built without encryption.",
                     "Build it with a ZeroMQ that has CURVE, or use a server on this machine.");
    const auto whole = trimmed (text);
    std::array<std::uint8_t, 2 * key_bytes> raw{};
    if (whole.size() != prefix.size() + 2 * raw.size() || whole.substr (0, prefix.size()) != prefix)
        refuse();
    for (std::size_t i = 0; i < raw.size(); ++i)
    {
        const int high = digit (whole[prefix.size() + 2 * i]);
        const int low = digit (whole[prefix.size() + 2 * i + 1]);
        if (high < 0 || low < 0)
            refuse();
        raw[i] = static_cast<std::uint8_t> (16 * high + low);
    }
    AccessKey key;
    key.server_public = z85 (raw.data());
    key.client_secret = z85 (raw.data() + key_bytes);
    std::array<char, z85_characters + 1> client_public{};
    if (zmq_curve_public (client_public.data(), key.client_secret.c_str()) != 0)
        refuse();
    key.client_public = client_public.data();
    return key;
}

} // namespace bandmate::link

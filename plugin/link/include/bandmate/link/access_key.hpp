// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace bandmate::link
{

// What `bandmate key` prints on a server's machine, taken apart: the key that the server is known by, and the
// pair that it knows its clients by. Z85 texts, as ZeroMQ takes them.
struct AccessKey
{
    std::string server_public;
    std::string client_public;
    std::string client_secret;
};

// Throws protocol::Error(bad_field) for a text that is none.
AccessKey parse_access_key (const std::string& text);

} // namespace bandmate::link

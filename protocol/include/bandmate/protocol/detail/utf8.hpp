// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bandmate::protocol::detail
{

// True for well-formed UTF-8 as Unicode defines it: no overlong form, no surrogate, nothing above U+10FFFF.
inline bool is_utf8 (std::string_view text) noexcept
{
    const auto byte = [text] (std::size_t i)
    {
        return static_cast<std::uint8_t> (text[i]);
    };
    for (std::size_t i = 0; i < text.size();)
    {
        const auto lead = byte (i++);
        if (lead < 0x80)
            continue;
        const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i < static_cast<std::size_t> (more))
            return false;
        // The second byte's range rules out overlong forms, surrogates and too large values.
        const std::uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        const std::uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (byte (i) < low || byte (i) > high)
            return false;
        for (int k = 1; k < more; ++k)
            if ((byte (i + static_cast<std::size_t> (k)) & 0xc0) != 0x80)
                return false;
        i += static_cast<std::size_t> (more);
    }
    return true;
}

} // namespace bandmate::protocol::detail

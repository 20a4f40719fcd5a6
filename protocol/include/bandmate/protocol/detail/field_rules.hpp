// SPDX-License-Identifier: Apache-2.0
// What a field must be, for writing and for reading alike. All throw Error(bad_field).
#pragma once

#include "../errors.hpp"
#include "../version.hpp"
#include "utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bandmate::protocol::detail
{

[[noreturn]] inline void refuse_field (const char* name, const std::string& rule)
{
    throw Error (error_code::bad_field, std::string ("The field '") + name + "' " + rule + ".");
}

inline std::string range_rule (std::uint64_t low, std::uint64_t high)
{
    return "must be a whole number from " + std::to_string (low) + " to " + std::to_string (high);
}

inline void check_text (const char* name, std::string_view value, std::size_t bytes_maximum)
{
    if (value.size() > bytes_maximum || !is_utf8 (value))
        refuse_field (name, "must be UTF-8 text of at most " + std::to_string (bytes_maximum) + " bytes");
}

inline void check_whole (const char* name, std::uint64_t value, std::uint64_t low, std::uint64_t high)
{
    if (value < low || value > high)
        refuse_field (name, range_rule (low, high));
}

inline void check_real (const char* name, double value, double low, double high)
{
    if (!(value >= low && value <= high))
        refuse_field (name, "must be a number from " + std::to_string (low) + " to " + std::to_string (high));
}

inline void check_entries (const char* name, std::size_t entries, std::size_t entries_maximum)
{
    if (entries > entries_maximum)
        refuse_field (name, "must be a list of at most " + std::to_string (entries_maximum) + " entries");
}

} // namespace bandmate::protocol::detail

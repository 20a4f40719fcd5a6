// SPDX-License-Identifier: Apache-2.0
// The visitor that writes a message's fields as msgpack.
#pragma once

#include "field_rules.hpp"

#ifndef MSGPACK_NO_BOOST
#define MSGPACK_NO_BOOST
#endif
#include <msgpack.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace bandmate::protocol::detail
{

struct Counter
{
    std::uint32_t count = 0;

    template <typename... Args>
    void text (Args&&...)
    {
        ++count;
    }
    template <typename... Args>
    void optional_text (Args&&...)
    {
        ++count;
    }
    template <typename... Args>
    void whole (Args&&...)
    {
        ++count;
    }
    template <typename... Args>
    void real (Args&&...)
    {
        ++count;
    }
    template <typename... Args>
    void object (Args&&...)
    {
        ++count;
    }
    template <typename... Args>
    void list (Args&&...)
    {
        ++count;
    }
};

template <typename Message>
std::uint32_t field_count()
{
    Counter counter;
    Message message;
    Message::visit (message, counter);
    return counter.count;
}

class Writer
{
public:
    void begin (std::uint32_t entries) { packer_.pack_map (entries); }

    void text (const char* name, std::string_view value, std::size_t bytes_maximum)
    {
        check_text (name, value, bytes_maximum);
        key (name);
        string (value);
    }

    void optional_text (const char* name, std::string_view value, std::size_t bytes_maximum)
    {
        text (name, value, bytes_maximum);
    }

    void whole (const char* name, std::uint64_t value, std::uint64_t low, std::uint64_t high)
    {
        check_whole (name, value, low, high);
        key (name);
        packer_.pack_uint64 (value);
    }

    // Always a float64: the packer's own pack_double would turn whole values into integers.
    void real (const char* name, double value, double low, double high)
    {
        check_real (name, value, low, high);
        key (name);
        std::uint64_t bits;
        std::memcpy (&bits, &value, sizeof bits);
        char bytes[9] = {static_cast<char> (0xcb)};
        for (int i = 0; i < 8; ++i)
            bytes[1 + i] = static_cast<char> (bits >> (56 - 8 * i));
        buffer_.write (bytes, sizeof bytes);
    }

    void flag (const char* name, bool value)
    {
        key (name);
        value ? packer_.pack_true() : packer_.pack_false();
    }

    template <typename Message>
    void object (const char* name, const Message& value)
    {
        key (name);
        map (value);
    }

    template <typename Message>
    void list (const char* name, const std::vector<Message>& value, std::size_t entries_maximum)
    {
        check_entries (name, value.size(), entries_maximum);
        key (name);
        packer_.pack_array (static_cast<std::uint32_t> (value.size()));
        for (const auto& entry : value)
            map (entry);
    }

    std::string take() const
    {
        if (buffer_.size() > limits::message_bytes_maximum)
            throw Error (error_code::bad_message, "The message is longer than " +
                                                      std::to_string (limits::message_bytes_maximum) +
                                                      " bytes.");
        return {buffer_.data(), buffer_.size()};
    }

private:
    void key (const char* name) { string (name); }

    void string (std::string_view value)
    {
        packer_.pack_str (static_cast<std::uint32_t> (value.size()));
        packer_.pack_str_body (value.data(), static_cast<std::uint32_t> (value.size()));
    }

    template <typename Message>
    void map (const Message& message)
    {
        packer_.pack_map (field_count<Message>());
        Message::visit (message, *this);
    }

    msgpack::sbuffer buffer_;
    msgpack::packer<msgpack::sbuffer> packer_{buffer_};
};

} // namespace bandmate::protocol::detail

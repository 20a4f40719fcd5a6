// SPDX-License-Identifier: Apache-2.0
// The visitors behind codec.hpp: one writes a message's fields as msgpack, one reads and checks them.
#pragma once

#include "../errors.hpp"
#include "../version.hpp"
#include "utf8.hpp"

#ifndef MSGPACK_NO_BOOST
#define MSGPACK_NO_BOOST
#endif
#include <msgpack.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

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

struct Counter
{
    std::uint32_t count = 0;

    template <typename... Args>
    void text (Args&&...)
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

// Reads the fields of one msgpack map. Only as long-lived as the Unpacked it comes from.
class Reader
{
public:
    // Throws Error(bad_field) unless `object` is a map with distinct text keys.
    Reader (const char* name, const msgpack::object& object)
    {
        if (object.type != msgpack::type::MAP)
            refuse_field (name, "must be a map");
        map_ = object.via.map;
        for (std::uint32_t i = 0; i < map_.size; ++i)
        {
            if (map_.ptr[i].key.type != msgpack::type::STR)
                refuse_field (name, "must have text keys only");
            for (std::uint32_t j = 0; j < i; ++j)
                if (key (i) == key (j))
                    refuse_field (name, "must not have a key twice");
        }
    }

    bool has (std::string_view name) const { return find (name) != nullptr; }

    void text (const char* name, std::string& value, std::size_t bytes_maximum) const
    {
        const auto& object = get (name);
        if (object.type != msgpack::type::STR)
            refuse_field (name, "must be text");
        const std::string_view view (object.via.str.ptr, object.via.str.size);
        check_text (name, view, bytes_maximum);
        value = view;
    }

    template <typename Unsigned>
    void whole (const char* name, Unsigned& value, std::uint64_t low, std::uint64_t high) const
    {
        const auto& object = get (name);
        if (object.type != msgpack::type::POSITIVE_INTEGER)
            refuse_field (name, range_rule (low, high));
        check_whole (name, object.via.u64, low, high);
        value = static_cast<Unsigned> (object.via.u64);
    }

    // A sender may write a whole value as an integer.
    void real (const char* name, double& value, double low, double high) const
    {
        const auto& object = get (name);
        double number = std::nan ("");
        if (object.type == msgpack::type::FLOAT64 || object.type == msgpack::type::FLOAT32)
            number = object.via.f64;
        else if (object.type == msgpack::type::POSITIVE_INTEGER)
            number = static_cast<double> (object.via.u64);
        else if (object.type == msgpack::type::NEGATIVE_INTEGER)
            number = static_cast<double> (object.via.i64);
        check_real (name, number, low, high);
        value = number;
    }

    bool flag (const char* name) const
    {
        const auto& object = get (name);
        if (object.type != msgpack::type::BOOLEAN)
            refuse_field (name, "must be true or false");
        return object.via.boolean;
    }

    template <typename Message>
    void object (const char* name, Message& value) const
    {
        const Reader reader (name, get (name));
        Message::visit (value, reader);
    }

    template <typename Message>
    void list (const char* name, std::vector<Message>& value, std::size_t entries_maximum) const
    {
        const auto& object = get (name);
        if (object.type != msgpack::type::ARRAY)
            refuse_field (name, "must be a list");
        check_entries (name, object.via.array.size, entries_maximum);
        value.assign (object.via.array.size, {});
        for (std::uint32_t i = 0; i < object.via.array.size; ++i)
        {
            const Reader reader (name, object.via.array.ptr[i]);
            Message::visit (value[i], reader);
        }
    }

private:
    std::string_view key (std::uint32_t i) const
    {
        return {map_.ptr[i].key.via.str.ptr, map_.ptr[i].key.via.str.size};
    }

    const msgpack::object* find (std::string_view name) const
    {
        for (std::uint32_t i = 0; i < map_.size; ++i)
            if (key (i) == name)
                return &map_.ptr[i].val;
        return nullptr;
    }

    const msgpack::object& get (const char* name) const
    {
        const auto* object = find (name);
        if (object == nullptr)
            refuse_field (name, "is missing");
        return *object;
    }

    msgpack::object_map map_{};
};

// Bytes taken apart within the limits. Throws Error(bad_message).
class Unpacked
{
public:
    Unpacked (const void* data, std::size_t bytes)
    {
        const auto refuse = [] (const std::string& what)
        {
            throw Error (error_code::bad_message, what);
        };
        if (bytes == 0 || bytes > limits::message_bytes_maximum)
            refuse ("A message has 1 to " + std::to_string (limits::message_bytes_maximum) + " bytes, not " +
                    std::to_string (bytes) + ".");
        // Text, binary and extension sizes are bounded by the message's own.
        const msgpack::unpack_limit limit (limits::message_entries_maximum, limits::message_entries_maximum,
                                           limits::message_bytes_maximum, limits::message_bytes_maximum,
                                           limits::message_bytes_maximum, limits::message_depth_maximum);
        std::size_t end = 0;
        try
        {
            handle_ = msgpack::unpack (static_cast<const char*> (data), bytes, end, nullptr, nullptr, limit);
        }
        catch (const std::exception&)
        {
            refuse ("The message is not valid msgpack, or nested or sized beyond the limits.");
        }
        if (end != bytes)
            refuse ("The message has bytes after its end.");
        if (handle_.get().type != msgpack::type::MAP)
            refuse ("The message is not a map.");
    }

    Reader reader() const { return {"message", handle_.get()}; }

private:
    msgpack::object_handle handle_;
};

} // namespace bandmate::protocol::detail

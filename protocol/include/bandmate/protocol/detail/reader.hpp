// SPDX-License-Identifier: Apache-2.0
// The visitor that reads a message's fields from msgpack and checks them.
#pragma once

#include "field_rules.hpp"

#ifndef MSGPACK_NO_BOOST
#define MSGPACK_NO_BOOST
#endif
#include <msgpack.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bandmate::protocol::detail
{

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

    // A field that older peers do not send: without it the value stays as it is.
    void optional_text (const char* name, std::string& value, std::size_t bytes_maximum) const
    {
        if (has (name))
            text (name, value, bytes_maximum);
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

// SPDX-License-Identifier: Apache-2.0
// Control messages to and from msgpack bytes. Needs msgpack-c's C++ headers; nothing else here does.
#pragma once

#include "detail/reader.hpp"
#include "detail/writer.hpp"
#include "messages.hpp"

#include <cstddef>
#include <string>
#include <type_traits>
#include <variant>

namespace bandmate::protocol
{

namespace detail
{

// Decodes the alternative of Variant whose type is `type`; false if there is none.
template <typename Variant, std::size_t I = 0>
bool read_body (const std::string& type, const Reader& reader, Variant& body)
{
    if constexpr (I == std::variant_size_v<Variant>)
    {
        return false;
    }
    else
    {
        using Body = std::variant_alternative_t<I, Variant>;
        if (type != Body::type || std::is_same_v<Body, ErrorReply>)
            return read_body<Variant, I + 1> (type, reader, body);
        Body::visit (body.template emplace<I>(), reader);
        return true;
    }
}

[[noreturn]] inline void refuse_type (const std::string& type)
{
    throw Error (error_code::unknown_type, "'" + type + "' is not a message this side knows.",
                 "Install plugin and server of the same Bandmate version.");
}

inline std::string read_type (const Reader& reader)
{
    std::string type;
    reader.text ("type", type, limits::name_bytes_maximum);
    return type;
}

inline void check_version (const Reader& reader)
{
    std::uint64_t version = 0;
    reader.whole ("v", version, 0, any_u64);
    if (version < message_version_minimum || version > message_version)
        throw Error (error_code::unsupported_version,
                     "The message has version " + std::to_string (version) + ", this side speaks " +
                         std::to_string (message_version_minimum) + " to " +
                         std::to_string (message_version) + ".",
                     "Install plugin and server of the same Bandmate version.");
}

} // namespace detail

// The bytes of a message. Throws Error(bad_field) if a field is out of its range: nothing that the other
// side would refuse is ever sent.
inline std::string encode (const Request& request)
{
    return std::visit (
        [&request] (const auto& body)
        {
            using Body = std::decay_t<decltype (body)>;
            detail::Writer writer;
            writer.begin (4 + detail::field_count<Body>());
            writer.whole ("v", message_version, 0, any_u32);
            writer.whole ("id", request.id, 0, any_u64);
            writer.text ("token", request.token, limits::token_bytes_maximum);
            writer.text ("type", Body::type, limits::name_bytes_maximum);
            Body::visit (body, writer);
            return writer.take();
        },
        request.body);
}

inline std::string encode (const Reply& reply)
{
    return std::visit (
        [&reply] (const auto& body)
        {
            using Body = std::decay_t<decltype (body)>;
            constexpr bool is_error = std::is_same_v<Body, ErrorReply>;
            detail::Writer writer;
            writer.begin (is_error ? 4 : 4 + detail::field_count<Body>());
            writer.whole ("v", message_version, 0, any_u32);
            writer.whole ("re", reply.re, 0, any_u64);
            writer.flag ("ok", !is_error);
            if constexpr (is_error)
            {
                writer.object ("error", body);
            }
            else
            {
                writer.text ("type", Body::type, limits::name_bytes_maximum);
                Body::visit (body, writer);
            }
            return writer.take();
        },
        reply.body);
}

inline std::string encode (const Push& push)
{
    return std::visit (
        [] (const auto& body)
        {
            using Body = std::decay_t<decltype (body)>;
            detail::Writer writer;
            writer.begin (2 + detail::field_count<Body>());
            writer.whole ("v", message_version, 0, any_u32);
            writer.text ("type", Body::type, limits::name_bytes_maximum);
            Body::visit (body, writer);
            return writer.take();
        },
        push.body);
}

inline std::string encode (const ServerMessage& message)
{
    return std::visit ([] (const auto& m) { return encode (m); }, message);
}

// What a server receives. Throws Error (bad_message, bad_field, unsupported_version, unknown_type).
inline Request decode_request (const void* data, std::size_t bytes)
{
    const detail::Unpacked unpacked (data, bytes);
    const auto reader = unpacked.reader();
    detail::check_version (reader);
    Request request;
    reader.whole ("id", request.id, 0, any_u64);
    reader.text ("token", request.token, limits::token_bytes_maximum);
    const auto type = detail::read_type (reader);
    if (!detail::read_body (type, reader, request.body))
        detail::refuse_type (type);
    return request;
}

// What a client receives: a message with `re` is a reply, any other a push. Throws as decode_request does.
inline ServerMessage decode_server_message (const void* data, std::size_t bytes)
{
    const detail::Unpacked unpacked (data, bytes);
    const auto reader = unpacked.reader();
    detail::check_version (reader);
    if (!reader.has ("re"))
    {
        Push push;
        const auto type = detail::read_type (reader);
        if (!detail::read_body (type, reader, push.body))
            detail::refuse_type (type);
        return push;
    }
    Reply reply;
    reader.whole ("re", reply.re, 0, any_u64);
    if (!reader.flag ("ok"))
    {
        reader.object ("error", reply.body.emplace<ErrorReply>());
        return reply;
    }
    const auto type = detail::read_type (reader);
    if (!detail::read_body (type, reader, reply.body))
        detail::refuse_type (type);
    return reply;
}

} // namespace bandmate::protocol

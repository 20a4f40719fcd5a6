// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <bandmate/protocol/codec.hpp>

#include <string>
#include <type_traits>
#include <variant>
#include <vector>

using namespace bandmate::test;
using namespace bandmate::protocol;

namespace
{

// A message's fields as JSON, for comparison with a vector.
struct Dumper
{
    json fields = json::object();

    void text (const char* name, const std::string& value, std::size_t) { fields[name] = value; }
    void optional_text (const char* name, const std::string& value, std::size_t) { fields[name] = value; }
    void whole (const char* name, std::uint64_t value, std::uint64_t, std::uint64_t) { fields[name] = value; }
    void real (const char* name, double value, double, double) { fields[name] = value; }

    template <typename Message>
    void object (const char* name, const Message& value)
    {
        fields[name] = dump (value);
    }

    template <typename Message>
    void list (const char* name, const std::vector<Message>& value, std::size_t)
    {
        fields[name] = json::array();
        for (const auto& entry : value)
            fields[name].push_back (dump (entry));
    }

    template <typename Message>
    static json dump (const Message& message)
    {
        Dumper dumper;
        Message::visit (message, dumper);
        return dumper.fields;
    }
};

template <typename Variant>
void check_body (const json& vector, const Variant& body)
{
    std::visit (
        [&vector] (const auto& b)
        {
            CHECK (vector["type"] == std::decay_t<decltype (b)>::type);
            CHECK (vector["fields"] == Dumper::dump (b));
        },
        body);
}

void decode (const std::string& kind, const std::string& bytes)
{
    if (kind == "request")
        decode_request (bytes.data(), bytes.size());
    else
        decode_server_message (bytes.data(), bytes.size());
}

} // namespace

TEST_CASE ("Every message vector reads as its fields and writes as its bytes", "[vectors]")
{
    for (const auto& vector : vectors ("messages.json"))
    {
        CAPTURE (vector["name"].get<std::string>());
        const auto bytes = from_hex (vector["hex"]);
        const std::string kind = vector["kind"];
        if (kind == "request")
        {
            const auto request = decode_request (bytes.data(), bytes.size());
            CHECK (vector["envelope"] == json{{"id", request.id}, {"token", request.token}});
            check_body (vector, request.body);
            CHECK (to_hex (encode (request)) == vector["hex"]);
            continue;
        }
        const auto message = decode_server_message (bytes.data(), bytes.size());
        CHECK (to_hex (encode (message)) == vector["hex"]);
        if (kind == "reply")
        {
            const auto& reply = std::get<Reply> (message);
            CHECK (vector["envelope"] == json{{"re", reply.re}});
            check_body (vector, reply.body);
        }
        else
        {
            check_body (vector, std::get<Push> (message).body);
        }
    }
}

TEST_CASE ("Every type of message has a vector", "[vectors]")
{
    std::size_t requests = 0, replies = 0, pushes = 0;
    std::vector<std::string> seen;
    for (const auto& vector : vectors ("messages.json"))
    {
        const std::string name = vector["name"];
        if (std::find (seen.begin(), seen.end(), name) != seen.end())
            continue;
        seen.push_back (name);
        (vector["kind"] == "request" ? requests : vector["kind"] == "reply" ? replies : pushes) += 1;
    }
    CHECK (requests == std::variant_size_v<Request::Body>);
    CHECK (replies == std::variant_size_v<Reply::Body>);
    CHECK (pushes == std::variant_size_v<Push::Body>);
}

TEST_CASE ("Every refused vector is refused with its code", "[vectors]")
{
    for (const auto& vector : vectors ("messages_refused.json"))
    {
        CAPTURE (vector["name"].get<std::string>());
        const auto bytes = from_hex (vector["hex"]);
        CHECK (refusal ([&] { decode (vector["kind"], bytes); }) == vector["code"]);
    }
}

TEST_CASE ("Unknown keys, another order and whole numbers for reals are understood", "[vectors]")
{
    for (const auto& vector : vectors ("messages_lenient.json"))
    {
        CAPTURE (vector["name"].get<std::string>());
        const auto bytes = from_hex (vector["hex"]);
        CHECK_NOTHROW (decode (vector["kind"], bytes));
    }
}

TEST_CASE ("What the other side would refuse is not written", "[messages]")
{
    CHECK (refusal ([] { encode (Request{1, "t", Close{0}}); }) == error_code::bad_field);
    CHECK (refusal ([] { encode (Request{1, std::string (129, 'a'), Ping{}}); }) == error_code::bad_field);
    CHECK (refusal ([] { encode (Request{1, "\xc0\x80", Ping{}}); }) == error_code::bad_field);
    CHECK (refusal (
               [] {
                   encode (Request{1, "t", SetPrompts{1, 1, {{style_slots, "", ""}}}});
               }) == error_code::bad_field);
    StatusReply status;
    status.sessions.resize (40);
    for (auto& session : status.sessions)
    {
        session.session = 1;
        session.note = std::string (limits::text_bytes_maximum, 'a');
    }
    CHECK (refusal ([&] { encode (Reply{1, status}); }) == error_code::bad_message);
}

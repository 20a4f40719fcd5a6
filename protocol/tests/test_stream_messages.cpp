// SPDX-License-Identifier: Apache-2.0
// The stream's messages against their byte vectors, and bytes that nobody meant.
#include "support.hpp"

#include <bandmate/protocol/stream_messages.hpp>

#include <random>
#include <string>
#include <vector>

using namespace bandmate::test;
using namespace bandmate::protocol;

namespace
{

std::string encode_again (const StreamMessage& message)
{
    if (const auto* input = std::get_if<StreamInput> (&message.body))
    {
        std::vector<Event> events;
        for (std::uint32_t i = 0; i < input->event_count; ++i)
            events.push_back (message.event (i));
        return encode (message.ticket, message.sequence, *input, events);
    }
    if (const auto* sound = std::get_if<StreamSound> (&message.body))
    {
        std::vector<float> samples (std::size_t{sound->frame_samples} * sound->channels);
        std::memcpy (samples.data(), message.data, samples.size() * sizeof (float));
        return encode (message.kind, message.ticket, message.sequence, *sound, samples.data());
    }
    return encode (message.ticket, message.sequence, std::get<StreamState> (message.body));
}

void check_fields (const json& fields, const StreamInput& in)
{
    CHECK (fields["heartbeat"] == in.heartbeat);
    CHECK (fields["until"] == in.until);
    CHECK (fields["epoch"] == in.epoch);
    CHECK (fields["flags"] == in.flags);
    CHECK (fields["frames_read"] == in.frames_read);
    CHECK (fields["frames_received"] == in.frames_received);
    CHECK (fields["underruns"] == in.underruns);
    CHECK (fields["late_frames"] == in.late_frames);
    CHECK (fields["lost_events"] == in.lost_events);
    CHECK (fields["event_count"] == in.event_count);
}

void check_fields (const json& fields, const StreamSound& sound)
{
    CHECK (fields["index"] == sound.index);
    CHECK (fields["epoch"] == sound.epoch);
    CHECK (fields["flags"] == sound.flags);
    CHECK (fields["held_us"] == sound.held_us);
    CHECK (fields["frame_samples"] == sound.frame_samples);
    CHECK (fields["channels"] == sound.channels);
}

void check_fields (const json& fields, const StreamState& state)
{
    CHECK (fields["state"] == state.state);
    CHECK (fields["epoch"] == state.epoch);
    CHECK (fields["frames"] == state.frames);
    CHECK (fields["events_read"] == state.events_read);
    CHECK (fields["inputs_read"] == state.inputs_read);
}

} // namespace

TEST_CASE ("Stream messages read as their fields and write as their bytes", "[stream]")
{
    const auto all = vectors ("streams.json");
    for (const auto& vector : all["messages"])
    {
        INFO (vector["name"]);
        const auto bytes = from_hex (vector["hex"]);
        const auto message = decode_stream (bytes.data(), bytes.size());
        CHECK (vector["kind"] == static_cast<unsigned> (message.kind));
        CHECK (vector["sequence"] == message.sequence);
        std::visit ([&vector] (const auto& body) { check_fields (vector["fields"], body); }, message.body);
        CHECK (to_hex (encode_again (message)) == vector["hex"]);
    }
}

TEST_CASE ("Stream messages that are refused are refused with their code", "[stream]")
{
    const auto all = vectors ("streams.json");
    for (const auto& vector : all["refused"])
    {
        INFO (vector["name"]);
        const auto bytes = from_hex (vector["hex"]);
        CHECK (refusal ([&] { decode_stream (bytes.data(), bytes.size()); }) == vector["code"]);
    }
}

TEST_CASE ("Nothing is encoded that the other side would refuse", "[stream]")
{
    const Ticket ticket{};
    const std::vector<Event> many (limits::stream_events_maximum + 1);
    CHECK (refusal ([&] { encode (ticket, 1, StreamInput{}, many); }) == error_code::bad_field);
    StreamSound sound;
    sound.epoch = 1;
    CHECK (refusal ([&] { encode (StreamKind::frame, ticket, 1, sound, nullptr); }) == error_code::bad_field);
    StreamState state;
    state.state = 5;
    CHECK (refusal ([&] { encode (ticket, 1, state); }) == error_code::bad_field);
}

TEST_CASE ("Damaged stream messages are understood or refused", "[stream][fuzz]")
{
    std::mt19937 random (4);
    int understood = 0, refused = 0;
    const auto all = vectors ("streams.json");
    for (const auto& vector : all["messages"])
    {
        const auto good = from_hex (vector["hex"]);
        for (int i = 0; i < 4000; ++i)
        {
            auto bytes = good;
            for (auto changes = 1 + random() % 4; changes > 0; --changes)
            {
                const auto at = random() % bytes.size();
                if (random() % 4 == 0)
                    bytes.resize (at + 1);
                else
                    bytes[at] = static_cast<char> (random());
            }
            // Of its own size on the heap: a sanitizer sees a read beyond the end.
            const std::vector<char> heap (bytes.begin(), bytes.end());
            try
            {
                const auto message = decode_stream (heap.data(), heap.size());
                // Reserved words are written as 0, hence the second round.
                const auto again = encode_again (message);
                REQUIRE (encode_again (decode_stream (again.data(), again.size())) == again);
                ++understood;
            }
            catch (const Error&)
            {
                ++refused;
            }
        }
    }
    CHECK (understood > 0);
    CHECK (refused > 0);
}

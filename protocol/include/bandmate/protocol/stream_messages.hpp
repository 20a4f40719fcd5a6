// SPDX-License-Identifier: Apache-2.0
// What a segment's live part becomes when plugin and server share no memory: messages of fixed layout.
// PROTOCOL.md has the same offsets as tables.
#pragma once

#include "events.hpp"
#include "layout.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <variant>
#include <vector>

namespace bandmate::protocol
{

// No control message begins so: a msgpack map's first byte is 0x80 or above.
inline constexpr char stream_magic[4] = {'B', 'N', 'D', 'S'};

// Random, chosen by the plugin and told in `open`; every message of the session's stream carries it.
using Ticket = std::array<std::uint8_t, 16>;

enum class StreamKind : std::uint16_t
{
    input = 1,      // plugin -> server: events and how far the input is complete
    side_chain = 2, // plugin -> server: a frame of audio in
    frame = 3,      // server -> plugin: a frame of audio out
    state = 4,      // server -> plugin: the server's line of the segment, and what it has read
};

struct StreamHead
{
    char magic[4];
    std::uint16_t version;
    std::uint16_t kind;
    std::uint8_t ticket[16];
    std::uint64_t sequence; // rises by one with each message of a direction; a gap means that one was lost
};

struct StreamInput
{
    std::uint64_t heartbeat = 0;
    std::uint64_t until = 0; // all events of `epoch` with time < until are in this message or an earlier one
    std::uint32_t epoch = 0; // 0: nothing published yet
    std::uint32_t flags = 0; // plugin_flag
    std::uint64_t frames_read = 0;     // frames of this stream that the plugin has taken out of its ring
    std::uint64_t frames_received = 0; // frames of this stream that have come
    std::uint64_t underruns = 0;
    std::uint64_t late_frames = 0;
    std::uint64_t lost_events = 0;
    std::uint32_t event_count = 0;
    std::uint32_t reserved = 0;
};

struct StreamSound
{
    std::uint64_t index = 0; // k
    std::uint32_t epoch = 0;
    std::uint32_t flags = 0; // frame_flag
    std::uint32_t frame_samples = 0;
    std::uint32_t channels = 0;
    std::uint32_t held_us = 0; // from the arrival of the frame's input to its sending; held_unknown
    std::uint32_t reserved = 0;
};

struct StreamState
{
    std::uint32_t state = 0; // ServerState
    std::uint32_t epoch = 0;
    std::uint64_t frames = 0;
    std::uint64_t events_read = 0; // events of this stream that the session has taken
    std::uint64_t inputs_read = 0; // side-chain frames of this stream that the session has taken
};

inline constexpr std::uint32_t held_unknown = 0xffffffff;

static_assert (sizeof (StreamHead) == 32 && offsetof (StreamHead, sequence) == 24);
static_assert (sizeof (StreamInput) == 72 && offsetof (StreamInput, epoch) == 16);
static_assert (offsetof (StreamInput, frames_read) == 24 && offsetof (StreamInput, event_count) == 64);
static_assert (sizeof (StreamSound) == 32 && offsetof (StreamSound, held_us) == 24);
static_assert (sizeof (StreamState) == 32 && offsetof (StreamState, inputs_read) == 24);

namespace limits
{
inline constexpr std::size_t stream_events_maximum = 1024; // of one message
inline constexpr std::size_t stream_bytes_maximum =
    sizeof (StreamHead) + sizeof (StreamSound) + sizeof (float) * frame_samples_maximum * channels_maximum;
} // namespace limits

// A message taken apart. `data` points into the bytes that were decoded, at any alignment: `event_count`
// event records, or the samples.
struct StreamMessage
{
    StreamKind kind = StreamKind::input;
    Ticket ticket{};
    std::uint64_t sequence = 0;
    std::variant<StreamInput, StreamSound, StreamState> body;
    const char* data = nullptr;

    Event event (std::uint32_t i) const noexcept
    {
        Event event;
        std::memcpy (&event, data + i * sizeof event, sizeof event);
        return event;
    }
};

inline bool is_stream_message (const void* data, std::size_t bytes) noexcept
{
    return bytes >= sizeof stream_magic && std::memcmp (data, stream_magic, sizeof stream_magic) == 0;
}

namespace detail
{

template <typename Body>
std::string encode_stream (StreamKind kind, const Ticket& ticket, std::uint64_t sequence, const Body& body,
                           const void* data, std::size_t data_bytes)
{
    StreamHead head{};
    std::memcpy (head.magic, stream_magic, sizeof head.magic);
    head.version = stream_version;
    head.kind = static_cast<std::uint16_t> (kind);
    std::memcpy (head.ticket, ticket.data(), ticket.size());
    head.sequence = sequence;
    std::string bytes;
    bytes.reserve (sizeof head + sizeof body + data_bytes);
    bytes.append (reinterpret_cast<const char*> (&head), sizeof head);
    bytes.append (reinterpret_cast<const char*> (&body), sizeof body);
    if (data_bytes > 0)
        bytes.append (static_cast<const char*> (data), data_bytes);
    return bytes;
}

inline void require_stream (bool good, const char* code, const std::string& what)
{
    if (!good)
        throw Error (code, what, "Install plugin and server of the same Bandmate version.");
}

inline void check_sound (const StreamSound& sound)
{
    require_stream (sound.frame_samples >= 1 && sound.frame_samples <= limits::frame_samples_maximum &&
                        sound.channels >= 1 && sound.channels <= limits::channels_maximum,
                    error_code::bad_field, "A frame of the stream has a shape that no model has.");
    require_stream (sound.epoch >= 1, error_code::bad_field, "A frame of the stream belongs to no epoch.");
}

inline void check_state (const StreamState& state)
{
    require_stream (state.state <= static_cast<std::uint32_t> (ServerState::closed), error_code::bad_field,
                    "The stream's server state " + std::to_string (state.state) + " is none.");
}

inline void check_input (const StreamInput& input)
{
    require_stream (input.event_count <= limits::stream_events_maximum, error_code::bad_field,
                    "A stream message has at most " + std::to_string (limits::stream_events_maximum) +
                        " events, not " + std::to_string (input.event_count) + ".");
    require_stream (input.epoch != 0 || input.until == 0, error_code::bad_field,
                    "The stream's position belongs to no epoch.");
}

} // namespace detail

// Throw Error(bad_field) for what the other side would refuse.
inline std::string encode (const Ticket& ticket, std::uint64_t sequence, StreamInput input,
                           const std::vector<Event>& events)
{
    input.event_count = static_cast<std::uint32_t> (events.size());
    input.reserved = 0;
    detail::check_input (input);
    return detail::encode_stream (StreamKind::input, ticket, sequence, input, events.data(),
                                  events.size() * sizeof (Event));
}

// `kind`: side_chain or frame. `samples`: frame_samples * channels, interleaved.
inline std::string encode (StreamKind kind, const Ticket& ticket, std::uint64_t sequence, StreamSound sound,
                           const float* samples)
{
    sound.reserved = 0;
    detail::check_sound (sound);
    return detail::encode_stream (kind, ticket, sequence, sound, samples,
                                  sizeof (float) * sound.frame_samples * sound.channels);
}

inline std::string encode (const Ticket& ticket, std::uint64_t sequence, const StreamState& state)
{
    detail::check_state (state);
    return detail::encode_stream (StreamKind::state, ticket, sequence, state, nullptr, 0);
}

// Checks everything but the event records, which whoever reads the ring checks, and whether the samples are
// finite. Throws Error(bad_message, bad_field, unknown_type or unsupported_version).
inline StreamMessage decode_stream (const void* data, std::size_t bytes)
{
    using detail::require_stream;
    require_stream (is_stream_message (data, bytes) && bytes >= sizeof (StreamHead), error_code::bad_message,
                    "This is no message of a stream.");
    const auto* at = static_cast<const char*> (data);
    StreamHead head;
    std::memcpy (&head, at, sizeof head);
    require_stream (head.version == stream_version, error_code::unsupported_version,
                    "The stream has version " + std::to_string (head.version) +
                        ", this side speaks version " + std::to_string (stream_version) + ".");
    StreamMessage message;
    message.kind = static_cast<StreamKind> (head.kind);
    std::memcpy (message.ticket.data(), head.ticket, sizeof head.ticket);
    message.sequence = head.sequence;

    std::size_t data_bytes = 0;
    const auto read = [&] (auto& body)
    {
        require_stream (bytes >= sizeof head + sizeof body, error_code::bad_message,
                        "A message of the stream is cut short.");
        std::memcpy (&body, at + sizeof head, sizeof body);
        message.data = at + sizeof head + sizeof body;
        data_bytes = bytes - sizeof head - sizeof body;
    };
    std::size_t expected = 0;
    switch (message.kind)
    {
    case StreamKind::input:
    {
        auto& input = message.body.emplace<StreamInput>();
        read (input);
        detail::check_input (input);
        expected = input.event_count * sizeof (Event);
        break;
    }
    case StreamKind::side_chain:
    case StreamKind::frame:
    {
        auto& sound = message.body.emplace<StreamSound>();
        read (sound);
        detail::check_sound (sound);
        expected = sizeof (float) * sound.frame_samples * sound.channels;
        break;
    }
    case StreamKind::state:
    {
        auto& state = message.body.emplace<StreamState>();
        read (state);
        detail::check_state (state);
        break;
    }
    default:
        require_stream (false, error_code::unknown_type,
                        "The stream has no messages of kind " + std::to_string (head.kind) + ".");
    }
    require_stream (data_bytes == expected, error_code::bad_message,
                    "A message of the stream has " + std::to_string (data_bytes) + " bytes of data, not " +
                        std::to_string (expected) + ".");
    return message;
}

} // namespace bandmate::protocol

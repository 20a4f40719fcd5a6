// SPDX-License-Identifier: Apache-2.0
// Byte layout of the shared-memory segment. PROTOCOL.md has the same offsets as a table.
#pragma once

#include "errors.hpp"
#include "version.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace bandmate::protocol
{

inline constexpr char segment_magic[8] = {'B', 'N', 'D', 'M', 'A', 'T', 'E', '1'};
inline constexpr std::uint32_t byte_order_mark = 0x01020304u;
inline constexpr std::uint32_t header_bytes = 1024;
inline constexpr std::uint32_t cache_line = 64;

// The grid both sides agree on, taken from the model bundle.
struct FrameShape
{
    std::uint32_t sample_rate = 0;
    std::uint32_t channels = 0;
    std::uint32_t frame_samples = 0; // F, per channel
};

// Slots of each ring; powers of two.
struct Capacities
{
    std::uint32_t events = 16384;
    std::uint32_t audio_out = 64;
    std::uint32_t audio_in = 64;
};

struct RingPlace
{
    std::uint64_t offset; // of slot 0, from the segment's first byte
    std::uint32_t capacity;
    std::uint32_t slot_bytes;
};

// Written once by the plugin before the path is sent; constant afterwards.
struct Description
{
    char magic[8];
    std::uint32_t layout_version;
    std::uint32_t byte_order;
    std::uint32_t header_bytes;
    std::uint32_t creator_pid;
    std::uint64_t total_bytes;
    std::uint32_t sample_rate;
    std::uint32_t channels;
    std::uint32_t frame_samples;
    std::uint32_t reserved_0; // zero
    std::uint8_t nonce[16];   // random; tells two segments of one process apart
    RingPlace events;
    RingPlace audio_out;
    RingPlace audio_in;
    std::uint64_t reserved_1; // zero
};

// Written by the plugin's audio thread; read by the server. See Published in segment.hpp.
struct alignas (cache_line) PublishedLine
{
    std::atomic<std::uint64_t> sequence; // odd while the pair below is being written
    std::atomic<std::uint64_t> until;    // stream samples of `epoch` whose events are all in the ring
    std::atomic<std::uint32_t> epoch;    // 0: none yet
};

// Written by the plugin; read by the server. Counts only grow.
struct alignas (cache_line) PluginLine
{
    std::atomic<std::uint64_t> heartbeat;   // raised by the link thread at least twice a second
    std::atomic<std::uint64_t> underruns;   // frames that were not there when due
    std::atomic<std::uint64_t> lost_events; // pushes refused by a full ring
    std::atomic<std::uint64_t> late_frames; // frames that came after their time and were dropped
    std::atomic<std::uint32_t> flags;       // plugin_flag
};

// Written by the server; read by the plugin.
struct alignas (cache_line) ServerLine
{
    std::atomic<std::uint64_t> heartbeat_ns; // monotonic_ns() at least twice a second
    std::atomic<std::uint64_t> frames;       // frames generated in this session, all epochs
    std::atomic<std::uint32_t> state;        // ServerState
    std::atomic<std::uint32_t> epoch;        // the epoch being generated, 0: none yet
};

// Counts of slots ever written and ever read; 64 bits, so that they never wrap.
struct RingControl
{
    alignas (cache_line) std::atomic<std::uint64_t> written; // producer
    alignas (cache_line) std::atomic<std::uint64_t> read;    // consumer
};

struct Header
{
    Description description;
    PublishedLine published;
    PluginLine plugin;
    ServerLine server;
    RingControl events;
    RingControl audio_out;
    RingControl audio_in;
};

namespace plugin_flag
{
inline constexpr std::uint32_t offline = 1; // the host renders faster or slower than real time
}

enum class ServerState : std::uint32_t
{
    none = 0,    // no server has attached
    loading = 1, // attached; model or prompts are not ready, no frames yet
    ready = 2,   // frames are generated as input is published
    failed = 3,  // the session cannot go on; the control channel says why
    closed = 4,  // the server has let go of the segment
};

// Head of a slot of both audio rings; interleaved float32 samples follow it.
struct FrameHead
{
    std::uint32_t epoch;
    std::uint32_t flags; // frame_flag
    std::uint64_t index; // k
};

namespace frame_flag
{
inline constexpr std::uint32_t silence = 1; // intended silence (gate, no side chain): not an underrun
inline constexpr std::uint32_t gap = 2;     // one or more frames before this one were skipped
} // namespace frame_flag

static_assert (sizeof (Description) == 120 && offsetof (Description, total_bytes) == 24);
static_assert (offsetof (Description, nonce) == 48 && offsetof (Description, events) == 64);
static_assert (offsetof (Description, audio_out) == 80 && offsetof (Description, audio_in) == 96);
static_assert (sizeof (PublishedLine) == 64 && sizeof (PluginLine) == 64 && sizeof (ServerLine) == 64);
static_assert (sizeof (RingControl) == 128 && sizeof (FrameHead) == 16 && sizeof (RingPlace) == 16);
static_assert (std::is_standard_layout_v<Header> && sizeof (Header) <= header_bytes);
static_assert (offsetof (Header, published) == 128 && offsetof (Header, plugin) == 192);
static_assert (offsetof (Header, server) == 256 && offsetof (Header, events) == 320);
static_assert (offsetof (Header, audio_out) == 448 && offsetof (Header, audio_in) == 576);
static_assert (std::atomic<std::uint64_t>::is_always_lock_free && sizeof (std::atomic<std::uint64_t>) == 8);
static_assert (std::atomic<std::uint32_t>::is_always_lock_free && sizeof (std::atomic<std::uint32_t>) == 4);

inline constexpr std::uint32_t event_slot_bytes = 32;

constexpr std::uint64_t round_up (std::uint64_t value, std::uint64_t multiple) noexcept
{
    return (value + multiple - 1) / multiple * multiple;
}

constexpr bool is_power_of_two (std::uint64_t value) noexcept
{
    return value != 0 && (value & (value - 1)) == 0;
}

constexpr std::uint32_t audio_slot_bytes (FrameShape shape) noexcept
{
    return static_cast<std::uint32_t> (
        round_up (sizeof (FrameHead) + std::uint64_t{4} * shape.frame_samples * shape.channels, cache_line));
}

// Throws Error(bad_segment) if no segment may have this shape or these capacities.
inline void check_shape (FrameShape shape, Capacities capacities)
{
    const auto require = [] (bool good, const std::string& what)
    {
        if (!good)
            throw Error (error_code::bad_segment, what,
                         "Use a model bundle and a plugin of the same Bandmate version.");
    };
    const auto ring = [&] (const char* name, std::uint32_t slots, std::uint32_t low, std::uint32_t high)
    {
        require (is_power_of_two (slots) && slots >= low && slots <= high,
                 std::string ("The ring ") + name + " cannot have " + std::to_string (slots) + " slots.");
    };
    require (shape.sample_rate >= limits::sample_rate_minimum &&
                 shape.sample_rate <= limits::sample_rate_maximum,
             "A sample rate of " + std::to_string (shape.sample_rate) + " Hz is out of range.");
    require (shape.channels >= 1 && shape.channels <= limits::channels_maximum,
             std::to_string (shape.channels) + " channels are out of range.");
    require (shape.frame_samples >= 1 && shape.frame_samples <= limits::frame_samples_maximum,
             "A frame of " + std::to_string (shape.frame_samples) + " samples is out of range.");
    ring ("events", capacities.events, limits::event_slots_minimum, limits::event_slots_maximum);
    ring ("audio_out", capacities.audio_out, limits::audio_slots_minimum, limits::audio_slots_maximum);
    ring ("audio_in", capacities.audio_in, limits::audio_slots_minimum, limits::audio_slots_maximum);
}

// The one description a shape leads to: rings follow the header in order, each on a cache line.
// Throws Error(bad_segment).
inline Description describe (FrameShape shape, Capacities capacities, std::uint32_t creator_pid,
                             const std::uint8_t (&nonce)[16])
{
    check_shape (shape, capacities);
    Description d{};
    std::memcpy (d.magic, segment_magic, sizeof d.magic);
    d.layout_version = layout_version;
    d.byte_order = byte_order_mark;
    d.header_bytes = header_bytes;
    d.creator_pid = creator_pid;
    d.sample_rate = shape.sample_rate;
    d.channels = shape.channels;
    d.frame_samples = shape.frame_samples;
    std::memcpy (d.nonce, nonce, sizeof d.nonce);

    std::uint64_t end = header_bytes;
    const auto place = [&end] (std::uint32_t capacity, std::uint32_t slot_bytes)
    {
        const RingPlace ring{end, capacity, slot_bytes};
        end = round_up (end + std::uint64_t{capacity} * slot_bytes, cache_line);
        return ring;
    };
    d.events = place (capacities.events, event_slot_bytes);
    d.audio_out = place (capacities.audio_out, audio_slot_bytes (shape));
    d.audio_in = place (capacities.audio_in, audio_slot_bytes (shape));
    d.total_bytes = end;
    if (end > limits::segment_bytes_maximum)
        throw Error (error_code::bad_segment,
                     "A segment of " + std::to_string (end) + " bytes is too large.");
    return d;
}

// Checks `bytes` of a file that claims to be a segment and returns a copy of its description. Only the copy
// may be used afterwards: the other side can still write to the mapping. Throws Error(bad_segment or
// unsupported_version).
inline Description check_description (const void* data, std::uint64_t bytes)
{
    const auto refuse = [] (const char* code, const std::string& what)
    {
        throw Error (
            code, what,
            "Reload the plugin; if it stays, install plugin and server of the same Bandmate version.");
    };

    if (data == nullptr || bytes < header_bytes)
        refuse (error_code::bad_segment, "The shared memory is too short for a Bandmate segment.");
    Description d;
    std::memcpy (&d, data, sizeof d);
    if (std::memcmp (d.magic, segment_magic, sizeof d.magic) != 0)
        refuse (error_code::bad_segment, "The shared memory is not a Bandmate segment.");
    if (d.byte_order != byte_order_mark)
        refuse (error_code::bad_segment, "The shared memory was written with another byte order.");
    if (d.layout_version != layout_version)
        refuse (error_code::unsupported_version,
                "The shared memory has layout " + std::to_string (d.layout_version) +
                    ", this side speaks layout " + std::to_string (layout_version) + ".");

    // Everything else follows from shape and capacities, so that one comparison checks all offsets and sizes.
    const Description expected =
        describe ({d.sample_rate, d.channels, d.frame_samples},
                  {d.events.capacity, d.audio_out.capacity, d.audio_in.capacity}, d.creator_pid, d.nonce);
    if (std::memcmp (&d, &expected, sizeof d) != 0)
        refuse (error_code::bad_segment, "The shared memory's header contradicts itself.");
    if (bytes != d.total_bytes)
        refuse (error_code::bad_segment, "The shared memory has " + std::to_string (bytes) +
                                             " bytes, its header says " + std::to_string (d.total_bytes) +
                                             ".");
    return d;
}

} // namespace bandmate::protocol

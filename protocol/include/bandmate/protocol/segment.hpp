// SPDX-License-Identifier: Apache-2.0
// The shared-memory segment of one session: what plugin and server exchange frame by frame.
#pragma once

#include "audio.hpp"
#include "events.hpp"
#include "layout.hpp"
#include "mapping.hpp"
#include "published.hpp"

#include <cstdint>
#include <cstring>
#include <new>
#include <random>
#include <string>

namespace bandmate::protocol
{

// Made by the plugin, attached by the server. create, attach and the destructor make system calls; everything
// else is wait-free and may run on an audio thread. Which thread may call what is said at each ring: one
// producer and one consumer, over both processes together.
class Segment
{
public:
    Segment() = default;

    // Makes the file `path` (it must not exist) with zeroed rings. Throws Error(bad_segment) for a shape that
    // cannot be, Error(io) when the system refuses.
    static Segment create (const std::string& path, FrameShape shape, Capacities capacities = {})
    {
        std::uint8_t nonce[16];
        std::random_device random;
        for (auto& byte : nonce)
            byte = static_cast<std::uint8_t> (random());
        const auto description = describe (shape, capacities, process_id(), nonce);
        auto mapping = Mapping::create (path, description.total_bytes);
        auto* header = new (mapping.data()) Header{};
        header->description = description;
        return Segment (std::move (mapping), description);
    }

    // Maps and checks the segment another process made. Throws Error(bad_segment, unsupported_version or io).
    static Segment attach (const std::string& path)
    {
        auto mapping = Mapping::open (path, limits::segment_bytes_maximum);
        const auto description = check_description (mapping.data(), mapping.bytes());
        Segment segment (std::move (mapping), description);
        if (segment.is_broken())
            throw Error (error_code::bad_segment, path + " has ring counts that cannot be.",
                         "Reload the plugin so that it makes a new segment.");
        return segment;
    }

    bool is_open() const noexcept { return mapping_.data() != nullptr; }
    const Description& description() const noexcept { return description_; }

    FrameShape shape() const noexcept
    {
        return {description_.sample_rate, description_.channels, description_.frame_samples};
    }

    // Live fields; only valid while open. Each line says who writes it.
    Header& header() const noexcept { return *reinterpret_cast<Header*> (mapping_.data()); }
    PluginLine& plugin() const noexcept { return header().plugin; }
    ServerLine& server() const noexcept { return header().server; }

    // Plugin's audio thread -> server.
    EventRing& events() noexcept { return events_; }
    // Server -> plugin's audio thread.
    AudioRing& audio_out() noexcept { return audio_out_; }
    // Plugin's audio thread -> server (side chain).
    AudioRing& audio_in() noexcept { return audio_in_; }
    // Plugin's audio thread -> server.
    Published& published() noexcept { return published_; }
    const Published& published() const noexcept { return published_; }

    // A count read from the other side could not be: this segment is of no more use.
    bool is_broken() const noexcept
    {
        return events_.producer_broken() || events_.consumer_broken() || audio_out_.producer_broken() ||
               audio_out_.consumer_broken() || audio_in_.producer_broken() || audio_in_.consumer_broken();
    }

private:
    Segment (Mapping mapping, const Description& description) noexcept
        : mapping_ (std::move (mapping)), description_ (description), published_ (header().published),
          events_ (ring (header().events, description.events)),
          audio_out_ (ring (header().audio_out, description.audio_out), shape()),
          audio_in_ (ring (header().audio_in, description.audio_in), shape())
    {
    }

    Ring ring (RingControl& control, const RingPlace& place) const noexcept
    {
        return Ring (control, mapping_.data() + place.offset, place.capacity, place.slot_bytes);
    }

    Mapping mapping_;
    Description description_{};
    Published published_;
    EventRing events_;
    AudioRing audio_out_;
    AudioRing audio_in_;
};

} // namespace bandmate::protocol

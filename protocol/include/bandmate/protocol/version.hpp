// SPDX-License-Identifier: Apache-2.0
// Versions and limits of the wire. Every number here is part of the contract in PROTOCOL.md.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bandmate::protocol
{

// Control messages. `minimum` is the oldest peer that is still understood.
inline constexpr std::uint32_t message_version = 1;
inline constexpr std::uint32_t message_version_minimum = 1;

// Shared-memory layout. A segment of any other layout is refused: there is no partial understanding.
inline constexpr std::uint32_t layout_version = 1;

// Messages that take the segment's place over a network. As with the layout: this one or none.
inline constexpr std::uint16_t stream_version = 1;

namespace limits
{
inline constexpr std::uint32_t sample_rate_minimum = 8000;
inline constexpr std::uint32_t sample_rate_maximum = 192000;
inline constexpr std::uint32_t channels_maximum = 8;
inline constexpr std::uint32_t frame_samples_maximum = 65536;
inline constexpr std::uint32_t event_slots_minimum = 64;
inline constexpr std::uint32_t event_slots_maximum = 1u << 20;
inline constexpr std::uint32_t audio_slots_minimum = 4;
inline constexpr std::uint32_t audio_slots_maximum = 1024;
inline constexpr std::uint64_t segment_bytes_maximum = std::uint64_t{1} << 31;

inline constexpr std::size_t message_bytes_maximum = 65536;
inline constexpr std::size_t message_entries_maximum = 1024; // of one map or list
inline constexpr std::size_t message_depth_maximum = 8;
inline constexpr std::size_t name_bytes_maximum = 128; // model, client, host and version names
inline constexpr std::size_t token_bytes_maximum = 128;
inline constexpr std::size_t text_bytes_maximum = 2048; // messages, hints, reasons
inline constexpr std::size_t path_bytes_maximum = 1024;
inline constexpr std::size_t prompt_bytes_maximum = 1024;
inline constexpr std::size_t sound_bytes_maximum = 8192; // of a style slot's sound, see Prompt
inline constexpr std::size_t models_maximum = 256;
inline constexpr std::size_t sessions_maximum = 256;

inline constexpr double style_seconds_minimum = 2.0; // of sound that becomes a style
inline constexpr double style_seconds_maximum = 10.0;
inline constexpr double clip_seconds_maximum = 28.0; // of sound that a stream goes on from
inline constexpr double take_seconds_maximum = 600.0;
} // namespace limits

// Style slots a session blends; also the number of `style_weight_*` parameters.
inline constexpr std::uint32_t style_slots = 6;

} // namespace bandmate::protocol

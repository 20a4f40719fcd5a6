// SPDX-License-Identifier: Apache-2.0
// What several control messages are made of.
#pragma once

#include "layout.hpp"
#include "version.hpp"

#include <cstdint>
#include <limits>
#include <string>

namespace bandmate::protocol
{

// Each message lists its fields once, in `visit`, for writing and for checked reading alike:
//   text (name, value, bytes_maximum)   whole (name, value, low, high)   real (name, value, low, high)
//   object (name, value)                list (name, value, entries_maximum)
//   optional_text: as text, but older peers do not send it
// All other fields are required; keys that are not listed are ignored by the reader.

inline constexpr std::uint64_t any_u64 = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::uint64_t any_u32 = std::numeric_limits<std::uint32_t>::max();
inline constexpr double milliseconds_maximum = 3.6e6;

struct Frame
{
    std::uint32_t sample_rate = 0;
    std::uint32_t channels = 0;
    std::uint32_t frame_samples = 0; // F
    std::uint32_t delay_samples = 0; // D, the model's own constant delay

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("sample_rate", m.sample_rate, limits::sample_rate_minimum, limits::sample_rate_maximum);
        v.whole ("channels", m.channels, 1, limits::channels_maximum);
        v.whole ("frame_samples", m.frame_samples, 1, limits::frame_samples_maximum);
        v.whole ("delay_samples", m.delay_samples, 0, limits::frame_samples_maximum);
    }
};

struct ModelInfo
{
    std::string name;
    Frame frame;
    double budget_ms = 0.0; // time one frame may take on this machine

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.text ("name", m.name, limits::name_bytes_maximum);
        v.object ("frame", m.frame);
        v.real ("budget_ms", m.budget_ms, 0.0, milliseconds_maximum);
    }
};

struct Prompt
{
    std::uint32_t slot = 0;
    std::string text;  // may be empty
    std::string sound; // what style_sound gave for this slot, which then counts instead of the text; or empty

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("slot", m.slot, 0, style_slots - 1);
        v.text ("text", m.text, limits::prompt_bytes_maximum);
        v.optional_text ("sound", m.sound, limits::sound_bytes_maximum);
    }
};

// One session as the server sees it.
struct SessionStatus
{
    std::uint32_t session = 0;
    std::string model;
    std::string state;             // name_of (ServerState)
    std::uint64_t revision = 0;    // of the prompts in force, 0: none yet
    std::uint64_t frames = 0;      // generated so far
    std::uint64_t slow_frames = 0; // that took longer than the budget
    double frame_ms_p50 = 0.0;
    double frame_ms_p99 = 0.0;
    std::string note; // for a human; empty when all is well

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.text ("model", m.model, limits::name_bytes_maximum);
        v.text ("state", m.state, limits::name_bytes_maximum);
        v.whole ("revision", m.revision, 0, any_u64);
        v.whole ("frames", m.frames, 0, any_u64);
        v.whole ("slow_frames", m.slow_frames, 0, any_u64);
        v.real ("frame_ms_p50", m.frame_ms_p50, 0.0, milliseconds_maximum);
        v.real ("frame_ms_p99", m.frame_ms_p99, 0.0, milliseconds_maximum);
        v.text ("note", m.note, limits::text_bytes_maximum);
    }
};

inline constexpr const char* name_of (ServerState state) noexcept
{
    switch (state)
    {
    case ServerState::none:
        return "none";
    case ServerState::loading:
        return "loading";
    case ServerState::ready:
        return "ready";
    case ServerState::failed:
        return "failed";
    case ServerState::closed:
        return "closed";
    }
    return "unknown";
}

} // namespace bandmate::protocol

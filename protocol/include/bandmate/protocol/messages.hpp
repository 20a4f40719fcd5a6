// SPDX-License-Identifier: Apache-2.0
// Control messages: their fields, types and ranges. codec.hpp turns them into msgpack and back.
#pragma once

#include "layout.hpp"
#include "version.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

namespace bandmate::protocol
{

// Each message lists its fields once, in `visit`, for writing and for checked reading alike:
//   text (name, value, bytes_maximum)   whole (name, value, low, high)   real (name, value, low, high)
//   object (name, value)                list (name, value, entries_maximum)
// All fields are required; keys that are not listed are ignored by the reader.

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
    std::string text; // may be empty

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("slot", m.slot, 0, style_slots - 1);
        v.text ("text", m.text, limits::prompt_bytes_maximum);
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

// Requests: plugin or command line -> server.

struct Hello
{
    static constexpr const char* type = "hello";
    std::string client;                       // name and version, for the log
    std::uint32_t protocol = message_version; // newest the client speaks

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.text ("client", m.client, limits::name_bytes_maximum);
        v.whole ("protocol", m.protocol, 1, any_u32);
    }
};

struct Open
{
    static constexpr const char* type = "open";
    std::string segment; // absolute path in the private folder
    std::string model;   // a name of the server's models
    std::uint64_t seed = 0;
    std::string host; // the DAW, for the log

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.text ("segment", m.segment, limits::path_bytes_maximum);
        v.text ("model", m.model, limits::name_bytes_maximum);
        v.whole ("seed", m.seed, 0, any_u64);
        v.text ("host", m.host, limits::name_bytes_maximum);
    }
};

struct SetPrompts
{
    static constexpr const char* type = "set_prompts";
    std::uint32_t session = 0;
    std::uint64_t revision = 0;  // rises with each change; an older one is not applied over a newer
    std::vector<Prompt> prompts; // slots that are not listed become empty

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.whole ("revision", m.revision, 1, any_u64);
        v.list ("prompts", m.prompts, style_slots);
    }
};

struct Status
{
    static constexpr const char* type = "status";
    std::uint32_t session = 0; // 0: all sessions

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 0, any_u32);
    }
};

struct Close
{
    static constexpr const char* type = "close";
    std::uint32_t session = 0;

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
    }
};

// A message that is nothing but its type.
struct Bare
{
    template <typename Self, typename Visitor>
    static void visit (Self&, Visitor&)
    {
    }
};

struct ListModels : Bare
{
    static constexpr const char* type = "list_models";
};

struct Ping : Bare
{
    static constexpr const char* type = "ping";
};

struct Shutdown : Bare
{
    static constexpr const char* type = "shutdown";
};

// Replies, named after their request's type.

struct HelloReply
{
    static constexpr const char* type = "hello";
    std::string server;                       // version
    std::uint32_t protocol = message_version; // what both will speak
    std::vector<ModelInfo> models;

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.text ("server", m.server, limits::name_bytes_maximum);
        v.whole ("protocol", m.protocol, 1, any_u32);
        v.list ("models", m.models, limits::models_maximum);
    }
};

struct OpenReply
{
    static constexpr const char* type = "open";
    std::uint32_t session = 0;
    Frame frame;
    double budget_ms = 0.0;

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.object ("frame", m.frame);
        v.real ("budget_ms", m.budget_ms, 0.0, milliseconds_maximum);
    }
};

struct SetPromptsReply
{
    static constexpr const char* type = "set_prompts";
    std::uint32_t session = 0;
    std::uint64_t revision = 0; // encoded and in force

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.whole ("revision", m.revision, 1, any_u64);
    }
};

struct StatusReply
{
    static constexpr const char* type = "status";
    std::vector<SessionStatus> sessions;

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.list ("sessions", m.sessions, limits::sessions_maximum);
    }
};

struct ListModelsReply
{
    static constexpr const char* type = "list_models";
    std::vector<ModelInfo> models;

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.list ("models", m.models, limits::models_maximum);
    }
};

struct CloseReply : Close
{
};

struct PingReply : Ping
{
};

struct ShutdownReply : Shutdown
{
};

// The reply to a request that was refused; it changed nothing.
struct ErrorReply
{
    static constexpr const char* type = "error";
    std::string code;    // one of error_code; an unknown one is to be treated as "internal"
    std::string message; // what is wrong, one line
    std::string hint;    // what to do; may be empty

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.text ("code", m.code, limits::name_bytes_maximum);
        v.text ("message", m.message, limits::text_bytes_maximum);
        v.text ("hint", m.hint, limits::text_bytes_maximum);
    }
};

// Pushes: server -> plugin, unasked.

struct StatusPush : SessionStatus
{
    static constexpr const char* type = "status";
};

// The server has ended this session; others are not touched.
struct Closed
{
    static constexpr const char* type = "closed";
    std::uint32_t session = 0;
    std::string reason; // for a human

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.text ("reason", m.reason, limits::text_bytes_maximum);
    }
};

struct Request
{
    using Body = std::variant<Hello, Open, SetPrompts, Status, ListModels, Ping, Close, Shutdown>;
    std::uint64_t id = 0; // chosen by the client, rising; the reply repeats it as `re`
    std::string token;    // from the discovery file
    Body body;
};

struct Reply
{
    using Body = std::variant<ErrorReply, HelloReply, OpenReply, SetPromptsReply, StatusReply,
                              ListModelsReply, PingReply, CloseReply, ShutdownReply>;
    std::uint64_t re = 0;
    Body body;
};

struct Push
{
    using Body = std::variant<StatusPush, Closed>;
    Body body;
};

using ServerMessage = std::variant<Reply, Push>;

} // namespace bandmate::protocol

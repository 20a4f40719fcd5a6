// SPDX-License-Identifier: Apache-2.0
// Control messages: server -> plugin or command line, asked for (replies) and unasked (pushes).
#pragma once

#include "requests.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace bandmate::protocol
{

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

// A reply that only names the session.
struct SessionReply
{
    std::uint32_t session = 0;

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
    }
};

// The file is whole.
struct BankSaveReply : SessionReply
{
    static constexpr const char* type = BankSave::type;
};

struct BankLoadReply : SessionReply
{
    static constexpr const char* type = BankLoad::type;
};

struct PrefillReply : SessionReply
{
    static constexpr const char* type = Prefill::type;
};

struct ResetReply : SessionReply
{
    static constexpr const char* type = Reset::type;
};

struct StyleSoundReply
{
    static constexpr const char* type = StyleSound::type;
    std::uint32_t session = 0;
    std::uint32_t slot = 0;
    std::string sound; // for Prompt

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.whole ("slot", m.slot, 0, style_slots - 1);
        v.text ("sound", m.sound, limits::sound_bytes_maximum);
    }
};

struct ContinueFromReply : SessionReply
{
    static constexpr const char* type = ContinueFrom::type;
};

struct TakeSaveReply
{
    static constexpr const char* type = TakeSave::type;
    std::uint32_t session = 0;
    double seconds = 0.0; // written

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.real ("seconds", m.seconds, 0.0, limits::take_seconds_maximum);
    }
};

struct CancelReply : SessionReply
{
    static constexpr const char* type = Cancel::type;
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

// How far a request that takes its time has got.
struct Progress
{
    static constexpr const char* type = "progress";
    std::uint32_t session = 0;
    std::string task;   // the request's type
    double share = 0.0; // done of the whole, 0..1

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.text ("task", m.task, limits::name_bytes_maximum);
        v.real ("share", m.share, 0.0, 1.0);
    }
};

} // namespace bandmate::protocol

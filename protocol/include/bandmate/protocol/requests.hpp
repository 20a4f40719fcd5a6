// SPDX-License-Identifier: Apache-2.0
// Control messages: plugin or command line -> server.
#pragma once

#include "message_parts.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace bandmate::protocol
{

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

// Writes the session's state, as it is between two frames, into a file.
struct BankSave
{
    static constexpr const char* type = "bank_save";
    std::uint32_t session = 0;
    std::string path; // absolute

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.text ("path", m.path, limits::path_bytes_maximum);
    }
};

// Makes a bank the reset target.
struct BankLoad
{
    static constexpr const char* type = "bank_load";
    std::uint32_t session = 0;
    std::string path; // absolute; empty: the fresh state

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.text ("path", m.path, limits::path_bytes_maximum);
    }
};

// Makes the end of a sound file the reset target.
struct Prefill
{
    static constexpr const char* type = "prefill";
    std::uint32_t session = 0;
    std::string path; // absolute; empty: silence

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.text ("path", m.path, limits::path_bytes_maximum);
    }
};

// Goes to the reset target.
struct Reset
{
    static constexpr const char* type = "reset";
    std::uint32_t session = 0;
    std::uint32_t rotation = 0; // other than 0: other random numbers than the last time

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.whole ("rotation", m.rotation, 0, any_u32);
    }
};

// Makes a style of sound: the end of the side chain's input, or the beginning of a file.
struct StyleSound
{
    static constexpr const char* type = "style_sound";
    std::uint32_t session = 0;
    std::uint32_t slot = 0; // only named in the reply: set_prompts puts the style in force
    std::string path;       // absolute; empty: the side chain
    double seconds = limits::style_seconds_maximum;

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.whole ("slot", m.slot, 0, style_slots - 1);
        v.text ("path", m.path, limits::path_bytes_maximum);
        v.real ("seconds", m.seconds, limits::style_seconds_minimum, limits::style_seconds_maximum);
    }
};

// Makes the end of a sound the reset target, keeps that as a bank, and goes to it.
struct ContinueFrom
{
    static constexpr const char* type = "continue_from";
    std::uint32_t session = 0;
    std::string path; // absolute; empty: the side chain
    double seconds = limits::clip_seconds_maximum;
    std::string bank; // absolute: where the state is kept; empty: nowhere

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.text ("path", m.path, limits::path_bytes_maximum);
        v.real ("seconds", m.seconds, limits::style_seconds_minimum, limits::clip_seconds_maximum);
        v.text ("bank", m.bank, limits::path_bytes_maximum);
    }
};

// Writes the end of what the session has played as a sound file, its notes as a MIDI file beside it.
struct TakeSave
{
    static constexpr const char* type = "take_save";
    std::uint32_t session = 0;
    std::string path; // absolute, ending in .wav
    double seconds = limits::take_seconds_maximum;

    template <typename Self, typename Visitor>
    static void visit (Self& m, Visitor& v)
    {
        v.whole ("session", m.session, 1, any_u32);
        v.text ("path", m.path, limits::path_bytes_maximum);
        v.real ("seconds", m.seconds, 0.0, limits::take_seconds_maximum);
    }
};

// Ends what the session's client has asked for and still waits for.
struct Cancel
{
    static constexpr const char* type = "cancel";
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

} // namespace bandmate::protocol

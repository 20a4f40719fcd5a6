// SPDX-License-Identifier: Apache-2.0
// Control messages in their envelopes. codec.hpp turns them into msgpack and back.
#pragma once

#include "replies.hpp"
#include "requests.hpp"

#include <cstdint>
#include <string>
#include <variant>

namespace bandmate::protocol
{

struct Request
{
    using Body = std::variant<Hello, Open, SetPrompts, Status, ListModels, Ping, Close, BankSave, BankLoad,
                              Prefill, Reset, StyleSound, ContinueFrom, TakeSave, Cancel, Shutdown>;
    std::uint64_t id = 0; // chosen by the client, rising; the reply repeats it as `re`
    std::string token;    // from the discovery file
    Body body;
};

struct Reply
{
    using Body =
        std::variant<ErrorReply, HelloReply, OpenReply, SetPromptsReply, StatusReply, ListModelsReply,
                     PingReply, CloseReply, BankSaveReply, BankLoadReply, PrefillReply, ResetReply,
                     StyleSoundReply, ContinueFromReply, TakeSaveReply, CancelReply, ShutdownReply>;
    std::uint64_t re = 0;
    Body body;
};

struct Push
{
    using Body = std::variant<StatusPush, Closed, Progress>;
    Body body;
};

using ServerMessage = std::variant<Reply, Push>;

} // namespace bandmate::protocol

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "access_key.hpp"

#include <bandmate/protocol/messages.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace bandmate::link
{

// Wakes a thread that waits in ControlClient::receive(). wake() may be called from any thread.
class WakeUp
{
public:
    WakeUp();
    ~WakeUp();
    void wake();

private:
    friend class ControlClient;
    struct Sockets;
    std::unique_ptr<Sockets> sockets_;
};

// The typed end of the control socket. Used by one thread. Throws protocol::Error when the socket cannot be
// made.
class ControlClient
{
public:
    // `key`: of a server on another machine.
    ControlClient (WakeUp& wake_up, const std::string& endpoint, const std::string& token,
                   const std::optional<AccessKey>& key = {});
    ~ControlClient();

    // Returns the id that the reply will repeat.
    uint64_t send (const protocol::Request::Body& body);

    // The next message, nullopt at the time limit or after a wake-up. Throws protocol::Error for a message
    // that is none.
    std::optional<protocol::ServerMessage> receive (std::chrono::milliseconds limit);

    // Waits without a server, until the time limit or a wake-up.
    static void wait (WakeUp& wake_up, std::chrono::milliseconds limit);

private:
    struct Socket;
    WakeUp& wake_up_;
    std::unique_ptr<Socket> socket_;
    std::string token_;
    uint64_t next_id_ = 1;
};

} // namespace bandmate::link

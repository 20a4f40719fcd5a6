// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "access_key.hpp"

#include <bandmate/protocol/segment.hpp>
#include <bandmate/protocol/stream_messages.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace bandmate::link
{

// A new one, random.
protocol::Ticket make_ticket();

// What `open` says in the place of a segment's path.
std::string stream_name (const protocol::Ticket& ticket);

// Carries a segment's content to a server on another machine and back, on a thread of its own: the audio
// thread reads and writes memory as ever and is never waited for. The thread looks for something to send
// every millisecond, since nobody may wake it.
class RemoteStream
{
public:
    RemoteStream (std::shared_ptr<protocol::Segment> segment, std::string endpoint, AccessKey key,
                  const protocol::Ticket& ticket);
    ~RemoteStream(); // joins the thread
    RemoteStream (const RemoteStream&) = delete;
    RemoteStream& operator= (const RemoteStream&) = delete;

    // Any thread. Why the stream is of no more use, one line; empty while it is.
    std::string problem() const;

    // Any thread. What the network asks of the latency, in ms, whenever that has been measured anew.
    std::optional<double> take_network_ms();

private:
    void run();
    void carry();

    std::shared_ptr<protocol::Segment> segment_;
    const std::string endpoint_;
    const AccessKey key_;
    const protocol::Ticket ticket_;

    mutable std::mutex guard_; // the two below
    std::string problem_;
    std::optional<double> network_ms_;

    std::atomic<bool> is_ending_{false};
    std::thread thread_;
};

} // namespace bandmate::link

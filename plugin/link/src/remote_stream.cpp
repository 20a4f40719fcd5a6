// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/network_meter.hpp>
#include <bandmate/link/remote_stream.hpp>

#include "remote_socket.hpp"
#include "thread_priority.hpp"

#include <bandmate/protocol/stream_ends.hpp>

#include <chrono>
#include <exception>
#include <random>
#include <utility>

namespace bandmate::link
{

namespace
{

constexpr auto step = std::chrono::milliseconds (1);
constexpr int send_queue = 64; // messages; more wait in the segment's rings
constexpr int receive_queue = 256;

} // namespace

protocol::Ticket make_ticket()
{
    std::random_device random;
    protocol::Ticket ticket;
    for (auto& byte : ticket)
        byte = static_cast<std::uint8_t> (random());
    return ticket;
}

std::string stream_name (const protocol::Ticket& ticket)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string name = "stream-";
    for (const auto byte : ticket)
    {
        name.push_back (digits[byte >> 4]);
        name.push_back (digits[byte & 15]);
    }
    return name;
}

RemoteStream::RemoteStream (std::shared_ptr<protocol::Segment> segment, std::string endpoint, AccessKey key,
                            const protocol::Ticket& ticket)
    : segment_ (std::move (segment)), endpoint_ (std::move (endpoint)), key_ (std::move (key)),
      ticket_ (ticket), thread_ ([this] { run(); })
{
}

RemoteStream::~RemoteStream()
{
    is_ending_.store (true, std::memory_order_relaxed);
    thread_.join();
}

std::string RemoteStream::problem() const
{
    const std::lock_guard lock (guard_);
    return problem_;
}

std::optional<double> RemoteStream::take_network_ms()
{
    const std::lock_guard lock (guard_);
    return std::exchange (network_ms_, {});
}

void RemoteStream::run()
{
    try
    {
        carry();
    }
    catch (const std::exception& error)
    {
        const std::lock_guard lock (guard_);
        problem_ = error.what();
    }
}

void RemoteStream::carry()
{
    go_before_others(); // ZeroMQ's thread too: it starts here
    zmq::context_t context (1);
    zmq::socket_t socket (context, zmq::socket_type::dealer);
    set_up_remote (socket, key_);
    socket.set (zmq::sockopt::linger, 0);
    socket.set (zmq::sockopt::maxmsgsize, static_cast<int64_t> (protocol::limits::stream_bytes_maximum));
    socket.set (zmq::sockopt::sndhwm, send_queue);
    socket.set (zmq::sockopt::rcvhwm, receive_queue);
    socket.connect (endpoint_);

    protocol::PluginStreamEnd end (*segment_, ticket_);
    NetworkMeter meter;
    std::optional<std::string> unsent;
    zmq::message_t message;
    while (!is_ending_.load (std::memory_order_relaxed))
    {
        zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
        zmq::poll (&item, 1, step);
        while (socket.recv (message, zmq::recv_flags::dontwait))
        {
            end.take (message.data(), message.size(), protocol::monotonic_ns());
            const auto taken_ns = end.take_network_ns();
            // A render's frames wait for each other, not for the network.
            const bool is_offline = (segment_->plugin().flags.load (std::memory_order_relaxed) &
                                     protocol::plugin_flag::offline) != 0;
            if (!taken_ns || is_offline)
                continue;
            if (const auto ms = meter.add (static_cast<double> (*taken_ns) * 1e-6))
            {
                const std::lock_guard lock (guard_);
                network_ms_ = ms;
            }
        }
        while (unsent || (unsent = end.next (protocol::monotonic_ns())))
        {
            if (!socket.send (zmq::buffer (*unsent), zmq::send_flags::dontwait))
                break; // tried again in the next step
            unsent.reset();
        }
    }
}

} // namespace bandmate::link

// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/control_client.hpp>

#include "remote_socket.hpp"

#include <bandmate/protocol/codec.hpp>

#include <zmq.hpp>

#include <mutex>

namespace bandmate::link
{

using protocol::Error;

// One context for each link: it ends with its owner, whatever other instances do.
struct WakeUp::Sockets
{
    zmq::context_t context{1};
    zmq::socket_t receiver{context, zmq::socket_type::pair};
    zmq::socket_t sender{context, zmq::socket_type::pair};
    std::mutex sending;

    void swallow()
    {
        zmq::message_t ignored;
        while (receiver.recv (ignored, zmq::recv_flags::dontwait))
            continue;
    }
};

WakeUp::WakeUp() : sockets_ (std::make_unique<Sockets>())
{
    sockets_->receiver.bind ("inproc://wake-up");
    sockets_->sender.connect ("inproc://wake-up");
}

WakeUp::~WakeUp() = default;

void WakeUp::wake()
{
    const std::lock_guard lock (sockets_->sending);
    sockets_->sender.send (zmq::message_t(), zmq::send_flags::dontwait);
}

struct ControlClient::Socket
{
    zmq::socket_t socket;
};

ControlClient::ControlClient (WakeUp& wake_up, const std::string& endpoint, const std::string& token,
                              const std::optional<AccessKey>& key)
    : wake_up_ (wake_up), token_ (token)
{
    try
    {
        socket_ = std::make_unique<Socket> (Socket{{wake_up.sockets_->context, zmq::socket_type::dealer}});
        // A server that has gone must not keep the plugin from closing.
        socket_->socket.set (zmq::sockopt::linger, 100);
        socket_->socket.set (zmq::sockopt::maxmsgsize,
                             static_cast<int64_t> (protocol::limits::message_bytes_maximum));
        if (key)
            set_up_remote (socket_->socket, *key);
        socket_->socket.connect (endpoint);
    }
    catch (const zmq::error_t& error)
    {
        throw Error (protocol::error_code::io,
                     "The server's address " + endpoint + " cannot be used (" + error.what() + ").",
                     key ? "Write it as tcp://HOST:PORT."
                         : "Set BANDMATE_RUNTIME_DIR to a folder with a short path.");
    }
}

ControlClient::~ControlClient() = default;

uint64_t ControlClient::send (const protocol::Request::Body& body)
{
    const auto id = next_id_++;
    const auto bytes = protocol::encode (protocol::Request{id, token_, body});
    // Queued while the connection is still being made: whether anybody answers is the caller's time limit to
    // find out.
    if (!socket_->socket.send (zmq::buffer (bytes), zmq::send_flags::dontwait))
        throw Error (protocol::error_code::io, "The Bandmate server does not take messages.",
                     "It is started again by itself.");
    return id;
}

std::optional<protocol::ServerMessage> ControlClient::receive (std::chrono::milliseconds limit)
{
    zmq::message_t message;
    if (!socket_->socket.recv (message, zmq::recv_flags::dontwait))
    {
        zmq::pollitem_t items[] = {{socket_->socket.handle(), 0, ZMQ_POLLIN, 0},
                                   {wake_up_.sockets_->receiver.handle(), 0, ZMQ_POLLIN, 0}};
        zmq::poll (items, 2, limit);
        wake_up_.sockets_->swallow();
        if (!socket_->socket.recv (message, zmq::recv_flags::dontwait))
            return std::nullopt;
    }
    return protocol::decode_server_message (message.data(), message.size());
}

void ControlClient::wait (WakeUp& wake_up, std::chrono::milliseconds limit)
{
    zmq::pollitem_t item{wake_up.sockets_->receiver.handle(), 0, ZMQ_POLLIN, 0};
    zmq::poll (&item, 1, limit);
    wake_up.sockets_->swallow();
}

} // namespace bandmate::link

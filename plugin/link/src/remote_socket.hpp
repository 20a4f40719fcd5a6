// SPDX-License-Identifier: GPL-3.0-or-later
// How sockets to another machine are set up, before they connect.
#pragma once

#include <bandmate/link/access_key.hpp>

#include <zmq.hpp>

namespace bandmate::link
{

inline constexpr int remote_heartbeat_ms = 500;
inline constexpr int remote_dead_ms = 3000;    // a connection that is silent for so long is given up
inline constexpr int remote_connect_ms = 1000; // one try; the system's own grow longer and longer

inline void set_up_remote (zmq::socket_t& socket, const AccessKey& key)
{
    namespace option = zmq::sockopt;
    socket.set (option::ipv6, true);
    socket.set (option::curve_serverkey, key.server_public);
    socket.set (option::curve_publickey, key.client_public);
    socket.set (option::curve_secretkey, key.client_secret);
    socket.set (option::heartbeat_ivl, remote_heartbeat_ms);
    socket.set (option::heartbeat_timeout, remote_dead_ms);
    socket.set (option::connect_timeout, remote_connect_ms);
    socket.set (option::reconnect_ivl, 100);
    socket.set (option::reconnect_ivl_max, 500);
}

} // namespace bandmate::link

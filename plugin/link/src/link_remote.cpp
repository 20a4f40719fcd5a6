// SPDX-License-Identifier: GPL-3.0-or-later
// What the link does otherwise when the server is on another machine.
#include <bandmate/link/known_servers.hpp>
#include <bandmate/link/link.hpp>
#include <bandmate/link/network_meter.hpp>

#include <algorithm>

namespace bandmate::link
{

using namespace std::chrono_literals;
using protocol::Error;

namespace
{

constexpr int pings = 20; // when a server is met for the first time
constexpr auto pings_limit = 3s;
// Signs of life come ten times a second; a network that loses packets holds some of them up.
constexpr uint64_t silence_limit_ns = 1'500'000'000;

bool same_grids (const std::vector<core::ModelFacts>& known, const std::vector<protocol::ModelInfo>& told)
{
    const auto is_same = [] (const core::ModelFacts& facts, const protocol::ModelInfo& model)
    {
        const auto& frame = model.frame;
        return facts.name == model.name &&
               facts.same_grid (
                   {{}, frame.sample_rate, frame.frame_samples, frame.channels, frame.delay_samples});
    };
    return std::equal (known.begin(), known.end(), told.begin(), told.end(), is_same);
}

} // namespace

void Link::search_remote()
{
    const auto& server = now_.server;
    if (server.key.empty())
        throw Error (protocol::error_code::bad_field,
                     "The server at " + server.address + " needs its access key.",
                     "Copy into the settings what `bandmate key` prints on its machine.");
    if (server.address.rfind ("tcp://", 0) != 0)
        throw Error (protocol::error_code::bad_field, "The server's address " + server.address + " is none.",
                     "Write it as tcp://HOST:PORT, or leave it empty to use this machine.");
    key_ = parse_access_key (server.key);
    server_ = ServerRecord{};
    server_->endpoint = server.address;
    connect();
}

// Keeps what the server says of its models and, the first time, measures the way to it.
void Link::learn (const protocol::HelloReply& hello)
{
    const auto& address = now_.server.address;
    const auto known = known_server (address);
    learn_models (address, hello.models);
    const bool is_measured = known && known->network_ms;
    if (!is_measured)
        if (auto taken_ms = ping_remote(); !taken_ms.empty())
            learn_network (address, network_ms_of (std::move (taken_ms)));
    if (server_learned_ && (!is_measured || !same_grids (known->models, hello.models)))
        server_learned_();
}

// No session is open: nothing else is said meanwhile.
std::vector<double> Link::ping_remote()
{
    std::vector<double> taken_ms;
    const auto end = Clock::now() + pings_limit;
    while (static_cast<int> (taken_ms.size()) < pings && Clock::now() < end && !is_ending())
    {
        const auto sent = Clock::now();
        const auto id = client_->send (protocol::Ping{});
        while (Clock::now() < end && !is_ending())
        {
            const auto message = client_->receive (100ms);
            const auto* reply = message ? std::get_if<protocol::Reply> (&*message) : nullptr;
            if (reply == nullptr || reply->re != id)
                continue;
            taken_ms.push_back (std::chrono::duration<double, std::milli> (Clock::now() - sent).count());
            break;
        }
    }
    return taken_ms;
}

bool Link::is_ending() const
{
    const std::lock_guard lock (guard_);
    return is_ending_;
}

void Link::watch_remote()
{
    // Kept for the next time that the host prepares the plugin: a latency is constant while it plays.
    if (const auto ms = remote_->take_network_ms())
        learn_network (now_.server.address, *ms);
    if (const auto problem = remote_->problem(); !problem.empty())
        return lose_server (problem + " The session is opened again.");
    const auto beat = segment_->segment()->server().heartbeat_ns.load (std::memory_order_relaxed);
    const auto now = protocol::monotonic_ns();
    if (beat != 0 && now > beat && now - beat > silence_limit_ns)
        lose_server ("The connection to " + now_.server.address + " is lost; it is made again.");
}

} // namespace bandmate::link

// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/folders.hpp>
#include <bandmate/link/link.hpp>
#include <bandmate/link/server_launcher.hpp>

#include <csignal>

namespace bandmate::link
{

using namespace std::chrono_literals;
using core::SessionProgress;
using protocol::Error;

namespace
{

constexpr auto poll_interval = 50ms;
constexpr auto play_interval = 100ms; // also the pace of the heartbeat
constexpr auto start_limit = 30s;     // of a server: Python and MLX load
constexpr auto start_grace = 2s;      // for the record of another server, when ours ended because of its lock
constexpr auto answer_limit = 5s;
constexpr auto open_limit = 60s;      // the model loads
constexpr auto retry_interval = 1s;
constexpr auto ping_limit = 2s;
constexpr uint64_t heartbeat_age_limit_ns = 1'000'000'000;

// Signals are for the host's threads: its handlers must never run on ours.
class BlockedSignals
{
public:
    BlockedSignals()
    {
        sigset_t all;
        sigfillset (&all);
        pthread_sigmask (SIG_SETMASK, &all, &before_);
    }
    ~BlockedSignals() { pthread_sigmask (SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_;
};

} // namespace

Link::~Link()
{
    {
        const std::lock_guard lock (guard_);
        is_ending_ = true;
    }
    wake_up_.wake();
    if (thread_.joinable())
        thread_.join();
}

void Link::request (SessionRequest wanted)
{
    const std::lock_guard lock (guard_);
    const bool is_same = wanted_revision_ > 0 && wanted.model == wanted_.model && wanted.prompts == wanted_.prompts
                         && wanted.facts.has_value() == wanted_.facts.has_value()
                         && (! wanted.facts || wanted.facts->same_grid (*wanted_.facts));
    if (is_same)
        return;
    wanted_ = std::move (wanted);
    ++wanted_revision_;
    // At once, not when the thread gets to it: an offline render may begin right after this call.
    progress_.store (SessionProgress::coming, std::memory_order_release);
    if (! thread_.joinable())
    {
        const BlockedSignals blocked;
        thread_ = std::thread ([this] { run(); });
    }
    wake_up_.wake();
}

LinkStatus Link::status() const
{
    const std::lock_guard lock (guard_);
    return status_;
}

void Link::run()
{
    while (follow_request())
    {
        try
        {
            step();
        }
        catch (const Error& error)
        {
            fail (error.what(), error.hint());
        }
        catch (const std::exception& error)
        {
            fail (error.what(), "It is tried again by itself.");
        }
        segments_.collect();
        publish_progress();
    }
    leave_session();
    segments_.collect();
}

// False when the link is to end.
bool Link::follow_request()
{
    SessionRequest wanted;
    {
        const std::lock_guard lock (guard_);
        if (is_ending_)
            return false;
        if (revision_ == wanted_revision_)
            return true;
        wanted = wanted_;
        revision_ = wanted_revision_;
        status_.model = wanted.model;
    }
    const bool same_grid = now_.facts && wanted.facts && now_.facts->same_grid (*wanted.facts);
    const bool same_session = phase_ == LinkPhase::playing && now_.model == wanted.model && same_grid;
    now_ = std::move (wanted);
    has_failed_ = false;
    if (same_session)
    {
        send_prompts();
        return true;
    }
    leave_session();
    enter (LinkPhase::searching, 0ms);
    return true;
}

void Link::step()
{
    switch (phase_)
    {
        case LinkPhase::idle: break;
        case LinkPhase::searching: return search();
        case LinkPhase::starting: return await_start();
        case LinkPhase::connecting:
        case LinkPhase::opening:
            receive (poll_interval);
            if ((phase_ == LinkPhase::connecting || phase_ == LinkPhase::opening) && is_late())
            {
                ignored_server_ = server_;
                fail ("The Bandmate server does not answer.", "It is tried again by itself. See " + log_file().string() + ".");
            }
            return;
        case LinkPhase::playing: return play();
        case LinkPhase::failed:
            ControlClient::wait (wake_up_, poll_interval);
            if (is_late())
                enter (LinkPhase::searching, 0ms);
            return;
    }
}

void Link::search()
{
    if (! now_.facts)
        return fail ("The model '" + now_.model + "' is not known on this machine.",
                     "Choose another model, or install it, then run `bandmate plugin install` and reload the plugin.");
    server_ = find_server (runtime_folder());
    if (server_ && ! (ignored_server_ && *server_ == *ignored_server_))
        return connect();
    ServerLauncher::launch (load_engine_config().command, log_file());
    enter (LinkPhase::starting, start_limit);
}

void Link::await_start()
{
    server_ = find_server (runtime_folder());
    if (server_ && ! (ignored_server_ && *server_ == *ignored_server_))
        return connect();
    const int status = ServerLauncher::exit_status();
    if (status >= 0)
        deadline_ = std::min (deadline_, Clock::now() + start_grace);
    if (is_late())
    {
        ignored_server_.reset(); // it may have come to itself
        const auto how = status < 0 ? std::string ("has not come up") : "ended at once with status " + std::to_string (status);
        return fail ("The Bandmate server " + how + ".", "See " + log_file().string() + ", or run `bandmate doctor`.");
    }
    ControlClient::wait (wake_up_, poll_interval);
}

void Link::connect()
{
    client_.emplace (wake_up_, server_->endpoint, server_->token);
    enter (LinkPhase::connecting, answer_limit);
    awaited_ = client_->send (protocol::Hello { "bandmate-plugin " BANDMATE_VERSION, protocol::message_version });
}

void Link::open (const protocol::HelloReply& hello)
{
    const auto& facts = *now_.facts;
    const protocol::ModelInfo* found = nullptr;
    for (const auto& model : hello.models)
        if (model.name == now_.model)
            found = &model;
    if (found == nullptr)
        return fail ("The server has no model '" + now_.model + "'.", "Choose another model, or install it. See `bandmate doctor`.");
    const auto& frame = found->frame;
    if (frame.sample_rate != facts.sample_rate_hz || frame.channels != facts.channels
        || frame.frame_samples != facts.frame_samples || frame.delay_samples != facts.delay_samples)
        return fail ("The model '" + now_.model + "' is not the one the host was prepared for.",
                     "Reload the plugin, or stop and start the host's audio.");

    segment_.emplace (runtime_folder(),
                      protocol::FrameShape { facts.sample_rate_hz, facts.channels, facts.frame_samples });
    enter (LinkPhase::opening, open_limit);
    // The seed comes with each epoch; here it is only what the server starts from.
    awaited_ = client_->send (protocol::Open { segment_->path(), now_.model, 0, now_.host });
}

void Link::play()
{
    receive (play_interval);
    if (phase_ == LinkPhase::playing)
        watch_server();
}

void Link::watch_server()
{
    auto& segment = *segment_->segment();
    segment.plugin().heartbeat.fetch_add (1, std::memory_order_relaxed);

    if (! is_process_alive (server_->pid))
        return lose_server ("The Bandmate server has ended; it is started again.");
    const auto state = static_cast<protocol::ServerState> (segment.server().state.load (std::memory_order_acquire));
    if (state == protocol::ServerState::failed)
        return fail ("The server has given this session up.", "See " + log_file().string() + ".");
    if (state == protocol::ServerState::closed)
        return lose_server ("The server has closed this session; it is opened again.");

    const auto beat = segment.server().heartbeat_ns.load (std::memory_order_relaxed);
    const auto now = protocol::monotonic_ns();
    const bool is_stale = beat != 0 && now > beat && now - beat > heartbeat_age_limit_ns;
    if (is_stale && ping_ == 0)
    {
        ping_ = client_->send (protocol::Ping {});
        ping_sent_ = Clock::now();
    }
    if (ping_ != 0 && Clock::now() - ping_sent_ > ping_limit)
    {
        ignored_server_ = server_;
        lose_server ("The Bandmate server does not answer; it is looked for again.");
    }
}

void Link::send_prompts()
{
    protocol::SetPrompts message;
    message.session = session_;
    message.revision = revision_;
    for (uint32_t slot = 0; slot < protocol::style_slots; ++slot)
        if (! now_.prompts[slot].empty())
            message.prompts.push_back ({ slot, now_.prompts[slot] });
    awaited_ = client_->send (message);
}

void Link::receive (std::chrono::milliseconds limit)
{
    try
    {
        const auto message = client_->receive (limit);
        if (! message)
            return;
        if (const auto* reply = std::get_if<protocol::Reply> (&*message))
            take_reply (*reply);
        else
            take_push (std::get<protocol::Push> (*message));
    }
    catch (const Error& error)
    {
        if (error.code() != protocol::error_code::unknown_type) // a newer server may say more than we know
            throw;
    }
}

void Link::take_reply (const protocol::Reply& reply)
{
    if (reply.re == ping_)
        ping_ = 0;
    if (const auto* error = std::get_if<protocol::ErrorReply> (&reply.body))
        return take_refusal (reply, *error);
    if (const auto* done = std::get_if<protocol::SetPromptsReply> (&reply.body))
    {
        acknowledged_revision_ = std::max (acknowledged_revision_, done->revision);
        return;
    }
    if (reply.re != awaited_)
        return;
    if (const auto* hello = std::get_if<protocol::HelloReply> (&reply.body); hello != nullptr && phase_ == LinkPhase::connecting)
        return open (*hello);
    if (const auto* opened = std::get_if<protocol::OpenReply> (&reply.body); opened != nullptr && phase_ == LinkPhase::opening)
    {
        segment_->drop_name();
        session_ = opened->session;
        {
            const std::lock_guard lock (guard_);
            status_.budget_ms = opened->budget_ms;
        }
        enter (LinkPhase::playing, 0ms);
        send_prompts();
        segments_.offer (segment_->segment());
    }
}

void Link::take_refusal (const protocol::Reply& reply, const protocol::ErrorReply& error)
{
    if (error.code == protocol::error_code::bad_token || error.code == protocol::error_code::shutting_down)
        return lose_server ("The Bandmate server is ending; it is started again.");
    if (error.code == protocol::error_code::unknown_session)
        return lose_server ("The server has closed this session; it is opened again.");
    if (phase_ != LinkPhase::playing)
        return fail (error.message, error.hint);
    if (reply.re != awaited_)
        return;
    // Prompts that are refused stay as they were; the music goes on.
    acknowledged_revision_ = revision_;
    const std::lock_guard lock (guard_);
    status_.problem = error.message;
    status_.remedy = error.hint;
}

void Link::take_push (const protocol::Push& push)
{
    if (const auto* closed = std::get_if<protocol::Closed> (&push.body))
    {
        if (closed->session == session_ && phase_ == LinkPhase::playing)
            fail ("The server has closed this session: " + closed->reason, "It is opened again by itself.");
        return;
    }
    const auto& news = std::get<protocol::StatusPush> (push.body);
    if (news.session != session_)
        return;
    const std::lock_guard lock (guard_);
    status_.frame_ms_p50 = news.frame_ms_p50;
    status_.frame_ms_p99 = news.frame_ms_p99;
    status_.problem = news.note;
    status_.remedy.clear();
}

void Link::leave_session()
{
    if (session_ != 0)
    {
        segments_.offer (nullptr);
        try
        {
            client_->send (protocol::Close { session_ });
        }
        catch (const std::exception&)
        {
            // The server is gone, or will find out by the heartbeat.
        }
    }
    session_ = 0;
    awaited_ = 0;
    ping_ = 0;
    acknowledged_revision_ = 0;
    client_.reset();
    segment_.reset();
}

void Link::lose_server (const std::string& problem)
{
    leave_session();
    enter (LinkPhase::searching, 0ms);
    const std::lock_guard lock (guard_);
    status_.problem = problem;
    status_.remedy.clear();
}

void Link::fail (const std::string& problem, const std::string& remedy)
{
    leave_session();
    has_failed_ = true;
    enter (LinkPhase::failed, retry_interval);
    const std::lock_guard lock (guard_);
    status_.problem = problem;
    status_.remedy = remedy;
}

void Link::enter (LinkPhase phase, std::chrono::milliseconds limit)
{
    phase_ = phase;
    deadline_ = Clock::now() + limit;
    const std::lock_guard lock (guard_);
    status_.phase = phase;
    if (phase == LinkPhase::playing)
    {
        status_.problem.clear();
        status_.remedy.clear();
    }
}

void Link::publish_progress()
{
    const bool plays = phase_ == LinkPhase::playing
                       && segment_->segment()->server().state.load (std::memory_order_acquire)
                              == static_cast<uint32_t> (protocol::ServerState::ready);
    const std::lock_guard lock (guard_);
    const bool is_ready = plays && acknowledged_revision_ == wanted_revision_;
    status_.prompts_in_force = is_ready;
    if (is_ready)
        has_failed_ = false;
    const bool is_given_up = has_failed_ && revision_ == wanted_revision_;
    progress_.store (is_ready      ? SessionProgress::ready
                     : is_given_up ? SessionProgress::unavailable
                                   : SessionProgress::coming,
                     std::memory_order_release);
}

} // namespace bandmate::link

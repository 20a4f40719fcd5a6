// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/folders.hpp>
#include <bandmate/link/link.hpp>
#include <bandmate/link/process_memory.hpp>
#include <bandmate/link/server_launcher.hpp>

#include <algorithm>
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
constexpr uint64_t beats_a_status = 10;
constexpr auto answer_limit = 5s;
constexpr auto open_limit = 60s; // without a sign of life from the server while the model loads
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
    end();
}

void Link::end()
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
    const bool is_same = wanted_revision_ > 0 && wanted.model == wanted_.model &&
                         wanted.prompts == wanted_.prompts && wanted.sounds == wanted_.sounds &&
                         wanted.bank == wanted_.bank && wanted.server == wanted_.server &&
                         wanted.facts.has_value() == wanted_.facts.has_value() &&
                         (!wanted.facts || wanted.facts->same_grid (*wanted_.facts));
    if (is_same)
        return;
    wanted_ = std::move (wanted);
    ++wanted_revision_;
    // At once, not when the thread gets to it: an offline render may begin right after this call.
    progress_.store (SessionProgress::coming, std::memory_order_release);
    if (!thread_.joinable())
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
            if (phase_ != LinkPhase::playing)
                follow_tasks(); // to say that they cannot be
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
    const bool same_session = phase_ == LinkPhase::playing && now_.model == wanted.model && same_grid &&
                              now_.server == wanted.server;
    now_ = std::move (wanted);
    has_failed_ = false;
    if (same_session)
    {
        send_prompts();
        send_bank();
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
    case LinkPhase::idle:
        break;
    case LinkPhase::searching:
        return search();
    case LinkPhase::starting:
        return await_start();
    case LinkPhase::connecting:
    case LinkPhase::opening:
        receive (poll_interval);
        if (phase_ == LinkPhase::opening)
            watch_loading();
        if ((phase_ == LinkPhase::connecting || phase_ == LinkPhase::opening) && is_late())
        {
            ignored_server_ = server_;
            if (is_remote())
                return fail ("The Bandmate server at " + server_->endpoint + " does not answer.",
                             "Check address, key and network; `bandmate serve --listen` must run there.");
            fail ("The Bandmate server does not answer.",
                  "It is tried again by itself. See " + log_file().string() + ".");
        }
        return;
    case LinkPhase::playing:
        return play();
    case LinkPhase::failed:
        ControlClient::wait (wake_up_, poll_interval);
        if (is_late())
            enter (LinkPhase::searching, 0ms);
        return;
    }
}

void Link::search()
{
    key_.reset();
    if (!now_.server.address.empty())
        return search_remote();
    const auto config = load_engine_config();
    if (!now_.facts && !config.problem.empty())
        return fail (config.problem, "Then reload the plugin.");
    if (!now_.facts)
        return fail ("The model '" + now_.model + "' is not known on this machine.",
                     "Choose another model, or install it, then run `bandmate plugin install` and reload the "
                     "plugin.");
    server_ = find_server (runtime_folder());
    if (server_ && !(ignored_server_ && *server_ == *ignored_server_))
        return connect();
    ServerLauncher::launch (config.command, log_file());
    enter (LinkPhase::starting, start_limit);
}

void Link::await_start()
{
    server_ = find_server (runtime_folder());
    if (server_ && !(ignored_server_ && *server_ == *ignored_server_))
        return connect();
    const int status = ServerLauncher::exit_status();
    if (status >= 0)
        deadline_ = std::min (deadline_, Clock::now() + start_grace);
    if (is_late())
    {
        ignored_server_.reset(); // it may have come to itself
        const auto how = status < 0 ? std::string ("has not come up")
                                    : "ended at once with status " + std::to_string (status);
        return fail ("The Bandmate server " + how + ".",
                     "See " + log_file().string() + ", or run `bandmate doctor`.");
    }
    ControlClient::wait (wake_up_, poll_interval);
}

void Link::connect()
{
    client_.emplace (wake_up_, server_->endpoint, server_->token, key_);
    enter (LinkPhase::connecting, answer_limit);
    awaited_ =
        client_->send (protocol::Hello{"bandmate-plugin " BANDMATE_VERSION, protocol::message_version});
}

void Link::open (const protocol::HelloReply& hello)
{
    if (is_remote())
        learn (hello);
    if (!now_.facts)
        return fail ("The server has told its models only now.",
                     "Reload the plugin, or start its audio again.");
    const auto& facts = *now_.facts;
    const protocol::ModelInfo* found = nullptr;
    for (const auto& model : hello.models)
        if (model.name == now_.model)
            found = &model;
    if (found == nullptr)
        return fail ("The server has no model '" + now_.model + "'.",
                     "Choose another model, or install it. See `bandmate doctor`.");
    const auto& frame = found->frame;
    if (frame.sample_rate != facts.sample_rate_hz || frame.channels != facts.channels ||
        frame.frame_samples != facts.frame_samples || frame.delay_samples != facts.delay_samples)
        return fail ("The model '" + now_.model + "' is not the one the host was prepared for.",
                     "Reload the plugin, or stop and start the host's audio.");

    segment_.emplace (runtime_folder(),
                      protocol::FrameShape{facts.sample_rate_hz, facts.channels, facts.frame_samples});
    auto place = segment_->path();
    if (is_remote())
    {
        const auto ticket = make_ticket();
        place = stream_name (ticket);
        segment_->drop_name(); // nobody else on this machine needs it
        remote_.emplace (segment_->segment(), server_->endpoint, *key_, ticket);
    }
    enter (LinkPhase::opening, open_limit);
    // The seed comes with each epoch; here it is only what the server starts from.
    awaited_ = client_->send (protocol::Open{place, now_.model, 0, now_.host});
}

// A large model may take minutes; while its server lives and beats, it is waited for.
void Link::watch_loading()
{
    auto& segment = *segment_->segment();
    segment.plugin().heartbeat.fetch_add (1, std::memory_order_relaxed);
    if (!is_remote() && !is_process_alive (server_->pid))
        return lose_server ("The Bandmate server has ended; it is started again.");
    const auto beat = segment.server().heartbeat_ns.load (std::memory_order_relaxed);
    if (beat != loading_beat_)
        deadline_ = Clock::now() + open_limit;
    loading_beat_ = beat;
}

void Link::play()
{
    follow_tasks();
    receive (play_interval);
    if (phase_ == LinkPhase::playing)
        watch_server();
}

void Link::watch_server()
{
    auto& segment = *segment_->segment();
    segment.plugin().heartbeat.fetch_add (1, std::memory_order_relaxed);

    if (!is_remote() && !is_process_alive (server_->pid))
        return lose_server ("The Bandmate server has ended; it is started again.");
    const auto state =
        static_cast<protocol::ServerState> (segment.server().state.load (std::memory_order_acquire));
    if (state == protocol::ServerState::failed)
        return fail ("The server has given this session up.", "See " + log_file().string() + ".");
    if (state == protocol::ServerState::closed)
        return lose_server ("The server has closed this session; it is opened again.");

    // The figures for the editor: asked for now and then, since the server tells by itself only what is
    // wrong.
    if (segment.plugin().heartbeat.load (std::memory_order_relaxed) % beats_a_status == 0)
    {
        client_->send (protocol::Status{session_});
        const auto memory_mb = is_remote() ? 0.0 : process_memory_mb (server_->pid);
        const std::lock_guard lock (guard_);
        status_.server_memory_mb = memory_mb;
    }
    if (is_remote())
        return watch_remote();

    const auto beat = segment.server().heartbeat_ns.load (std::memory_order_relaxed);
    const auto now = protocol::monotonic_ns();
    const bool is_stale = beat != 0 && now > beat && now - beat > heartbeat_age_limit_ns;
    if (is_stale && ping_ == 0)
    {
        ping_ = client_->send (protocol::Ping{});
        ping_sent_ = Clock::now();
    }
    if (ping_ != 0 && Clock::now() - ping_sent_ > ping_limit)
    {
        ignored_server_ = server_;
        lose_server ("The Bandmate server does not answer; it is looked for again.");
    }
}

void Link::leave_session()
{
    if (session_ != 0)
    {
        segments_.offer (nullptr);
        try
        {
            client_->send (protocol::Close{session_});
        }
        catch (const std::exception&)
        {
            // The server is gone, or will find out by the heartbeat.
        }
    }
    if (task_id_ != 0)
        end_task ("The session has ended before this was done.", "Try it again when it plays.");
    session_ = 0;
    awaited_ = 0;
    ping_ = 0;
    bank_awaited_ = 0;
    bank_in_force_.clear();
    acknowledged_revision_ = 0;
    client_.reset();
    remote_.reset();
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
    const bool plays = phase_ == LinkPhase::playing &&
                       segment_->segment()->server().state.load (std::memory_order_acquire) ==
                           static_cast<uint32_t> (protocol::ServerState::ready);
    const std::lock_guard lock (guard_);
    const bool is_ready = plays && acknowledged_revision_ == wanted_revision_ && bank_awaited_ == 0;
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

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "control_client.hpp"
#include "discovery.hpp"
#include "engine_config.hpp"
#include "link_status.hpp"
#include "remote_stream.hpp"
#include "segment_file.hpp"
#include "task.hpp"

#include <bandmate/core/stream.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace bandmate::link
{

// What a plugin instance wants of the server.
struct SessionRequest
{
    std::string model;
    std::optional<core::ModelFacts> facts; // the grid the host was prepared for; none: it is not known here
    std::array<std::string, protocol::style_slots> prompts;
    std::array<std::string, protocol::style_slots> sounds; // styles made of sound; they go before the texts
    std::string bank;     // absolute path of the state that the stream begins with; empty: a fresh one
    std::string host;     // the DAW, for the server's log
    ServerAddress server; // on another machine; without an address on this one
};

// Keeps one session alive on a thread of its own: finds or starts the server, opens the session, hands its
// segment to the audio thread, and does it all again when the server is lost. Everything it throws away or
// frees, it does there.
class Link
{
public:
    Link() = default;
    ~Link(); // as end()

    // Ends the session and joins the thread. What a task's end calls must live until then.
    void end();

    // Any thread but the audio thread. Starts the thread at the first call; does not wait for the server.
    void request (SessionRequest wanted);

    // Any thread but the audio thread.
    LinkStatus status() const;

    // Called on the link thread when a task has gone well, with the style's sound if it made one. Set it
    // before the first request().
    void on_task_done (std::function<void (const Task&, const std::string& sound)> call)
    {
        task_done_ = std::move (call);
    }

    // Called on the link thread when a server on another machine has told its models, or the way to it has
    // been measured, for the first time: whoever prepares again reports the right latency. Set it before the
    // first request().
    void on_server_learned (std::function<void()> call) { server_learned_ = std::move (call); }

    // Any thread but the audio thread. False: another one runs. How it goes, task_status() says.
    bool start (Task task);
    void cancel_task();
    TaskStatus task_status() const;

    // For the audio thread's Stream.
    core::SegmentHandover& segments() noexcept { return segments_; }
    const std::atomic<core::SessionProgress>& progress() const noexcept { return progress_; }

private:
    using Clock = std::chrono::steady_clock;

    // All below on the link thread.
    void run();
    void step();
    void search();
    void search_remote();
    void await_start();
    void connect();
    void open (const protocol::HelloReply& hello);
    void learn (const protocol::HelloReply& hello);
    std::vector<double> ping_remote();
    void watch_remote();
    bool is_remote() const { return key_.has_value(); }
    bool is_ending() const;
    void play();
    void watch_loading();
    void watch_server();
    void send_prompts();
    void send_bank();
    void follow_tasks();
    protocol::Request::Body message_of (const Task& task) const;
    bool take_task_reply (const protocol::Reply& reply);
    void take_progress (const protocol::Progress& progress);
    void end_task (const std::string& problem, const std::string& remedy);
    void end_task_now (const std::string& problem, const std::string& remedy);
    void receive (std::chrono::milliseconds limit);
    void take_reply (const protocol::Reply& reply);
    void take_refusal (const protocol::Reply& reply, const protocol::ErrorReply& error);
    void take_push (const protocol::Push& push);
    bool follow_request();
    void leave_session();
    void lose_server (const std::string& problem);
    void fail (const std::string& problem, const std::string& remedy);
    void enter (LinkPhase phase, std::chrono::milliseconds limit);
    void publish_progress();
    bool is_late() const { return Clock::now() >= deadline_; }

    core::SegmentHandover segments_;
    std::atomic<core::SessionProgress> progress_{core::SessionProgress::unavailable};

    std::function<void (const Task&, const std::string&)> task_done_;
    std::function<void()> server_learned_;

    mutable std::mutex guard_; // the seven below
    SessionRequest wanted_;
    uint64_t wanted_revision_ = 0;
    bool is_ending_ = false;
    LinkStatus status_;
    std::optional<Task> wanted_task_;
    bool cancel_wanted_ = false;
    TaskStatus task_status_;

    WakeUp wake_up_;
    std::thread thread_;

    // The link thread's own.
    LinkPhase phase_ = LinkPhase::idle;
    Clock::time_point deadline_;
    SessionRequest now_; // what the session is being made for
    uint64_t revision_ = 0;
    uint64_t acknowledged_revision_ = 0;
    std::optional<ServerRecord> server_;
    std::optional<ServerRecord> ignored_server_; // it did not answer
    std::optional<ControlClient> client_;
    std::optional<AccessKey> key_; // of a server on another machine
    std::optional<SegmentFile> segment_;
    std::optional<RemoteStream> remote_; // carries the segment's content there
    uint32_t session_ = 0;
    uint64_t awaited_ = 0;      // id of hello's, open's or the newest prompts' reply
    uint64_t bank_awaited_ = 0; // id of the bank's reply, 0: none is due
    std::string bank_in_force_; // what the server's reset target was made of
    Task task_;
    uint64_t task_id_ = 0;    // of the running task's reply, 0: none
    bool has_failed_ = false; // since the last time it was ready, or was asked for something else
    uint64_t ping_ = 0;       // id of a ping without its reply, 0: none
    Clock::time_point ping_sent_;
    uint64_t loading_beat_ = 0; // the server's heartbeat while it loads the model
};

} // namespace bandmate::link

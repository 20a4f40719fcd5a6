// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "control_client.hpp"
#include "discovery.hpp"
#include "engine_config.hpp"
#include "link_status.hpp"
#include "segment_file.hpp"

#include <bandmate/core/stream.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
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
    std::string host; // the DAW, for the server's log
};

// Keeps one session alive on a thread of its own: finds or starts the server, opens the session, hands its
// segment to the audio thread, and does it all again when the server is lost. Everything it throws away or
// frees, it does there.
class Link
{
public:
    Link() = default;
    ~Link(); // ends the session and joins the thread

    // Any thread but the audio thread. Starts the thread at the first call; does not wait for the server.
    void request (SessionRequest wanted);

    // Any thread but the audio thread.
    LinkStatus status() const;

    // For the audio thread's Stream.
    core::SegmentHandover& segments() noexcept { return segments_; }
    const std::atomic<core::SessionProgress>& progress() const noexcept { return progress_; }

private:
    using Clock = std::chrono::steady_clock;

    // All below on the link thread.
    void run();
    void step();
    void search();
    void await_start();
    void connect();
    void open (const protocol::HelloReply& hello);
    void play();
    void watch_server();
    void send_prompts();
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

    mutable std::mutex guard_; // the four below
    SessionRequest wanted_;
    uint64_t wanted_revision_ = 0;
    bool is_ending_ = false;
    LinkStatus status_;

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
    std::optional<SegmentFile> segment_;
    uint32_t session_ = 0;
    uint64_t awaited_ = 0;    // id of hello's, open's or the newest prompts' reply
    bool has_failed_ = false; // since the last time it was ready, or was asked for something else
    uint64_t ping_ = 0;       // id of a ping without its reply, 0: none
    Clock::time_point ping_sent_;
};

} // namespace bandmate::link

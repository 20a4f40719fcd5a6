// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "fade_tail.hpp"
#include "frame_player.hpp"
#include "handover.hpp"
#include "model_facts.hpp"
#include "offline_wait.hpp"
#include "performance_state.hpp"
#include "resampler.hpp"
#include "side_chain.hpp"
#include "stream_clock.hpp"

#include <bandmate/protocol/segment.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

namespace bandmate::core
{

using SegmentHandover = Handover<protocol::Segment>;

struct StreamSetup
{
    ModelFacts model;
    double host_rate_hz = 0.0;
    uint32_t max_block_samples = 0;
};

struct Transport
{
    bool is_playing = false;
    bool is_recording = false;
    bool is_looping = false;
    double tempo_bpm = 0.0;
    int64_t position_samples = 0;
};

// What the host tells about a block beside its MIDI.
struct BlockContext
{
    Transport transport;
    ParameterValues parameters{};
    bool restart_on_play = false;
    bool is_offline = false;
};

// Written by the audio thread, read by anyone; for status only, hence relaxed.
struct StreamCounts
{
    std::atomic<uint64_t> underruns{0};
    std::atomic<uint64_t> late_frames{0};
    std::atomic<uint64_t> bad_frames{0};
    std::atomic<uint64_t> lost_events{0};
    std::atomic<uint32_t> epoch{0};
    std::atomic<bool> offline_gave_up{false};
};

// The audio thread's whole work: events in, published position, audio out at the reported latency. After
// prepare() nothing here locks, allocates or makes a system call, but for waiting when the context says
// offline.
//
// A block is begin(), add() for each event in order of time, add_side_chain() if there is one, finish().
// Blocks are at most max_block_samples long.
class Stream
{
public:
    Stream (SegmentHandover& segments, const std::atomic<SessionProgress>& progress) noexcept;

    // Model samples that the resampler reads ahead at this host rate, a term of the latency. Allocates.
    // Throws std::runtime_error when the host's rate cannot be converted to.
    static uint32_t ahead_samples (const ModelFacts& model, double host_rate_hz);

    // Message thread, not while a block is processed. Allocates. Begins a new epoch; the session stays.
    // Returns ahead_samples(); throws as it does.
    uint32_t prepare (const StreamSetup& setup);

    // Host samples from an event to its sound. As prepare().
    void set_latency (uint32_t samples) noexcept { latency_samples_ = samples; }

    // After prepare(), before the first block: begins with what is held and set in the other one, which is
    // between two blocks.
    void take_over (const Stream& other) noexcept;

    // Any thread: the next block begins a new epoch with nothing held.
    void request_reset() noexcept { reset_requested_.store (true, std::memory_order_release); }

    void set_wait_limits (OfflineWait::Limits limits) noexcept { wait_.set_limits (limits); }

    void begin (uint32_t block_samples, const BlockContext& context) noexcept;
    void add (uint32_t offset_samples, const protocol::Event& event) noexcept; // event's time is not used
    void add_side_chain (const float* left,
                         const float* right) noexcept; // the block's input, if there is any
    void finish (float* left, float* right) noexcept;

    // Audio thread: whether the epoch is old enough to be heard.
    bool is_due() const noexcept { return clock_.host_samples() >= latency_samples_; }

    // Audio thread: host samples since the last gap, or since the epoch's first sound.
    uint64_t steady_samples() const noexcept { return steady_samples_; }

    const StreamCounts& counts() const noexcept { return counts_; }

private:
    protocol::Segment* segment() const noexcept;
    void attach() noexcept;
    void adopt() noexcept;
    void follow_parameters (const ParameterValues& values) noexcept;
    bool follow_transport (const Transport& now) noexcept;
    void begin_epoch() noexcept;
    void play (const protocol::Event& event, uint32_t offset_samples) noexcept;
    void send (protocol::Event event, uint32_t offset_samples) noexcept;
    void pull (float* out, uint32_t count) noexcept;
    void pull_model (float* out, uint32_t count) noexcept;
    void report (protocol::Segment& segment) noexcept;

    SegmentHandover& segments_;
    OfflineWait wait_;
    StreamSetup setup_;
    StreamClock clock_;
    FramePlayer player_;
    std::optional<Resampler> resampler_; // none when the rates are equal
    SideChain side_chain_;
    PerformanceState performance_;
    FadeTail old_epoch_; // in host samples: what was sounding when an epoch ended
    Transport transport_;
    StreamCounts counts_;
    std::atomic<bool> reset_requested_{false};

    uint32_t latency_samples_ = 0;
    uint32_t epoch_ = 0;
    uint32_t block_ = 0;
    uint64_t complete_frames_ = 0;
    uint64_t steady_samples_ = 0;
    bool is_offline_ = false;
    bool epoch_wanted_ = false;        // until it begins, events only change what its snapshot will say
    std::vector<float> model_scratch_; // interleaved, between player and resampler
    std::vector<float> host_scratch_;  // interleaved, one block
};

} // namespace bandmate::core

// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/core/stream.hpp>

#include <algorithm>

namespace bandmate::core
{

using protocol::Event;

namespace
{

constexpr double fade_seconds = 0.005;
constexpr uint32_t model_chunk_samples = 256; // of the scratch between player and resampler

Event event_of (const Transport& transport) noexcept
{
    namespace flag = protocol::transport_flag;
    const auto flags = (transport.is_playing ? flag::playing : 0) |
                       (transport.is_recording ? flag::recording : 0) |
                       (transport.is_looping ? flag::looping : 0);
    return Event::transport (0, flags, transport.tempo_bpm, transport.position_samples);
}

bool differs (const Transport& a, const Transport& b) noexcept
{
    return a.is_playing != b.is_playing || a.is_recording != b.is_recording || a.is_looping != b.is_looping ||
           a.tempo_bpm != b.tempo_bpm;
}

} // namespace

Stream::Stream (SegmentHandover& segments, const std::atomic<SessionProgress>& progress) noexcept
    : segments_ (segments), wait_ (progress)
{
}

uint32_t Stream::ahead_samples (const ModelFacts& model, double host_rate_hz)
{
    if (host_rate_hz == model.sample_rate_hz)
        return 0;
    return Resampler (model.sample_rate_hz, host_rate_hz, model.channels).ahead_samples();
}

uint32_t Stream::prepare (const StreamSetup& setup)
{
    const auto& model = setup.model;
    setup_ = setup;
    resampler_.reset();
    if (setup.host_rate_hz != model.sample_rate_hz)
        resampler_.emplace (model.sample_rate_hz, setup.host_rate_hz, model.channels);
    clock_.set_rates (setup.host_rate_hz, model.sample_rate_hz);
    player_.prepare (model.frame_samples, model.channels,
                     static_cast<uint32_t> (fade_seconds * model.sample_rate_hz));
    old_epoch_.prepare (model.channels, static_cast<uint32_t> (fade_seconds * setup.host_rate_hz));
    model_scratch_.assign (std::size_t{model_chunk_samples} * model.channels, 0.0f);
    host_scratch_.assign (std::size_t{setup.max_block_samples} * model.channels, 0.0f);
    side_chain_.prepare (model, setup.host_rate_hz, setup.max_block_samples);
    request_reset();
    return resampler_ ? resampler_->ahead_samples() : 0;
}

void Stream::take_over (const Stream& other) noexcept
{
    performance_ = other.performance_;
    transport_ = other.transport_;
    reset_requested_.store (false, std::memory_order_release);
    epoch_wanted_ = true;
}

void Stream::begin (uint32_t block_samples, const BlockContext& context) noexcept
{
    block_ = block_samples;
    is_offline_ = context.is_offline;
    wait_.begin_block();
    attach();
    if (reset_requested_.exchange (false, std::memory_order_acq_rel))
    {
        performance_.release_all();
        epoch_wanted_ = true;
    }
    const bool has_started = follow_transport (context.transport);
    epoch_wanted_ |= has_started && context.restart_on_play;
    follow_parameters (context.parameters);

    const auto* ring = segment() != nullptr ? &segment()->events() : nullptr;
    if (epoch_wanted_ &&
        (ring == nullptr || segment()->events().free_slots() > PerformanceState::snapshot_events_maximum))
        begin_epoch();
}

void Stream::add (uint32_t offset_samples, const Event& event) noexcept
{
    play (event, std::min (offset_samples, block_));
}

void Stream::add_side_chain (const float* left, const float* right) noexcept
{
    if (auto* now = segment())
        side_chain_.write (now->audio_in(), left, right, block_);
}

void Stream::finish (float* left, float* right) noexcept
{
    const auto channels = setup_.model.channels;
    auto* out = host_scratch_.data();
    std::fill_n (out, std::size_t{block_} * channels, 0.0f);

    const auto gaps = player_.counts().underruns;
    bool is_steady = false;
    if (auto* now = segment())
    {
        const auto until = clock_.model_time (block_);
        complete_frames_ = until / setup_.model.frame_samples;
        now->published().publish (
            {epoch_, until}); // with a full event ring too: the server must go on reading
        const auto start = clock_.host_samples();
        const auto silent =
            start >= latency_samples_
                ? 0
                : static_cast<uint32_t> (std::min<uint64_t> (latency_samples_ - start, block_));
        pull (out + std::size_t{silent} * channels, block_ - silent);
        report (*now);
        is_steady = silent == 0 && player_.counts().underruns == gaps && !player_.is_in_gap();
    }
    steady_samples_ = is_steady ? steady_samples_ + block_ : 0;
    old_epoch_.add_to (out, block_);
    old_epoch_.remember (out, block_);
    clock_.advance (block_);

    const auto second = channels > 1 ? 1u : 0u;
    for (uint32_t i = 0; i < block_; ++i)
    {
        left[i] = out[std::size_t{i} * channels];
        right[i] = out[std::size_t{i} * channels + second];
    }
}

// None while the one at hand is of another shape than what the stream is prepared for: its frames would not
// fit.
protocol::Segment* Stream::segment() const noexcept
{
    auto* now = segments_.current();
    if (now == nullptr)
        return nullptr;
    const auto& shape = now->shape();
    const auto& model = setup_.model;
    const bool fits = shape.frame_samples == model.frame_samples && shape.channels == model.channels &&
                      shape.sample_rate == model.sample_rate_hz;
    return fits ? now : nullptr;
}

void Stream::attach() noexcept
{
    if (is_offline_)
        wait_.for_session (
            [this]
            {
                adopt();
                return segment() != nullptr && wait_.is_ready() && !segments_.has_offer();
            });
    else
        adopt();
}

void Stream::adopt() noexcept
{
    if (!segments_.adopt())
        return;
    epoch_wanted_ = true;
    side_chain_.restart (epoch_); // lets go of the old segment's memory
}

bool Stream::follow_transport (const Transport& now) noexcept
{
    const auto before = transport_;
    transport_ = now;
    if (before.is_playing && !now.is_playing)
        play (Event::all_notes_off (0),
              0); // a host that forgets a note off must not leave it sounding for ever
    if (differs (before, now))
        play (event_of (now), 0);
    return now.is_playing && !before.is_playing;
}

void Stream::follow_parameters (const ParameterValues& values) noexcept
{
    for (uint32_t id = 0; id < protocol::parameter_count; ++id)
        if (performance_.parameter (id) != values[id])
            play (Event::parameter (0, static_cast<protocol::ParameterId> (id), values[id]), 0);
}

void Stream::begin_epoch() noexcept
{
    ++epoch_;
    epoch_wanted_ = false;
    clock_.restart();
    wait_.begin_epoch();
    old_epoch_.start();
    if (resampler_)
        resampler_->reset();
    // The model's first D samples belong to times before the epoch: never heard.
    player_.restart (epoch_, setup_.model.delay_samples);
    side_chain_.restart (epoch_);

    const auto seed = performance_.parameter (static_cast<uint32_t> (protocol::ParameterId::seed));
    send (Event::epoch_start (epoch_, static_cast<uint64_t> (seed)), 0);
    performance_.snapshot ([this] (const Event& event) { send (event, 0); });
    send (event_of (transport_), 0);
    counts_.epoch.store (epoch_, std::memory_order_relaxed);
}

// What the player or the host does: remembered for the next snapshot, and sent unless that snapshot is
// already due.
void Stream::play (const Event& event, uint32_t offset_samples) noexcept
{
    if (performance_.apply (event) && !epoch_wanted_)
        send (event, offset_samples);
}

void Stream::send (Event event, uint32_t offset_samples) noexcept
{
    auto* now = segment();
    if (now == nullptr)
        return;
    event.time = clock_.model_time (offset_samples);
    if (!now->events().push (event))
    {
        epoch_wanted_ = true; // nothing is lost for good: the next epoch begins with all that is held
        counts_.lost_events.fetch_add (1, std::memory_order_relaxed);
    }
}

void Stream::pull (float* out, uint32_t count) noexcept
{
    const auto channels = setup_.model.channels;
    if (!resampler_)
        return pull_model (out, count);
    uint32_t made = 0;
    bool is_short = false; // the library may round the last sample's place otherwise than missing() does
    while (made < count)
    {
        const auto wanted = std::max<uint64_t> (resampler_->missing (count - made), is_short ? 1 : 0);
        const auto given = static_cast<uint32_t> (std::min<uint64_t> (wanted, model_chunk_samples));
        pull_model (model_scratch_.data(), given);
        const auto moved = resampler_->process (model_scratch_.data(), given,
                                                out + std::size_t{made} * channels, count - made);
        if (is_short && moved.used + moved.made == 0)
            return;
        is_short = moved.made == 0;
        made += moved.made;
    }
}

void Stream::pull_model (float* out, uint32_t count) noexcept
{
    auto* now = segment();
    for (uint32_t done = 0; done < count;)
    {
        if (is_offline_ && now != nullptr)
            wait_.for_frame ([&] { return player_.is_next_decided (now->audio_out(), complete_frames_); }, [&]
                             { return segments_.has_offer() || wait_.is_hopeless() || now->is_broken(); });
        done +=
            player_.read (now != nullptr ? &now->audio_out() : nullptr,
                          out + std::size_t{done} * setup_.model.channels, count - done, complete_frames_);
    }
}

void Stream::report (protocol::Segment& segment) noexcept
{
    constexpr auto relaxed = std::memory_order_relaxed;
    const auto& frames = player_.counts();
    counts_.underruns.store (frames.underruns, relaxed);
    counts_.late_frames.store (frames.late, relaxed);
    counts_.bad_frames.store (frames.bad, relaxed);
    counts_.offline_gave_up.store (wait_.has_given_up(), relaxed);
    segment.plugin().underruns.store (frames.underruns, relaxed);
    segment.plugin().late_frames.store (frames.late, relaxed);
    segment.plugin().lost_events.store (counts_.lost_events.load (relaxed), relaxed);
    segment.plugin().flags.store (is_offline_ ? protocol::plugin_flag::offline : 0, relaxed);
}

} // namespace bandmate::core

// SPDX-License-Identifier: Apache-2.0
// The two ends of a stream over a network. Each plays the missing side of a segment: the audio thread and the
// session see nothing but shared memory.
#pragma once

#include "segment.hpp"
#include "stream_messages.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bandmate::protocol
{

namespace detail
{

// Both ends know how many slots of the other's ring may be in use and send no more than fit: nothing is ever
// dropped or overwritten, and what nobody reads stays where it was made.
[[noreturn]] inline void refuse_stream (const std::string& what)
{
    throw Error (error_code::bad_message, what, "The session is opened again by itself.");
}

// Order and ownership of one direction's messages.
class StreamOrder
{
public:
    explicit StreamOrder (const Ticket& ticket) noexcept : ticket_ (ticket) {}

    const Ticket& ticket() const noexcept { return ticket_; }
    std::uint64_t next() noexcept { return ++sent_; }

    void check (const StreamMessage& message)
    {
        if (message.ticket != ticket_)
            refuse_stream ("A message of another stream came.");
        // The first one seen may have any number: before a session is open nothing is lost with a message.
        if (received_ != 0 && message.sequence != received_ + 1)
            refuse_stream ("Messages of the stream were lost.");
        if (message.sequence == 0)
            refuse_stream ("A message of the stream has no number.");
        received_ = message.sequence;
    }

private:
    Ticket ticket_;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
};

// When the input of recent frames was sent, or came.
class FrameTimes
{
public:
    void note (std::uint32_t epoch, std::uint64_t index, std::uint64_t ns) noexcept
    {
        at_[index % at_.size()] = {epoch, index, ns};
    }

    std::optional<std::uint64_t> find (std::uint32_t epoch, std::uint64_t index) const noexcept
    {
        const auto& found = at_[index % at_.size()];
        if (found.epoch != epoch || found.index != index)
            return std::nullopt;
        return found.ns;
    }

    // `until` has risen from `before`: all frames in between are complete now.
    void note_complete (std::uint32_t epoch, std::uint64_t before, std::uint64_t until,
                        std::uint32_t frame_samples, std::uint64_t ns) noexcept
    {
        const auto end = until / frame_samples;
        const auto begin =
            std::max (before / frame_samples, end > at_.size() ? end - at_.size() : std::uint64_t{0});
        for (auto index = begin; index < end; ++index)
            note (epoch, index, ns);
    }

private:
    struct Time
    {
        std::uint32_t epoch = 0;
        std::uint64_t index = 0;
        std::uint64_t ns = 0;
    };
    std::array<Time, 128> at_{};
};

inline std::string encode_frame (StreamKind kind, StreamOrder& order, const AudioRing& ring,
                                 const FrameView& frame, std::uint32_t held_us)
{
    StreamSound sound;
    sound.index = frame.index;
    sound.epoch = frame.epoch;
    sound.flags = frame.flags;
    sound.frame_samples = ring.frame_samples();
    sound.channels = ring.channels();
    sound.held_us = held_us;
    return encode (kind, order.ticket(), order.next(), sound, frame.samples);
}

// Into the ring that the other end has kept count of.
inline void take_frame (AudioRing& ring, const StreamMessage& message)
{
    const auto& sound = std::get<StreamSound> (message.body);
    if (sound.frame_samples != ring.frame_samples() || sound.channels != ring.channels())
        refuse_stream ("A frame of the stream is not of the session's shape.");
    auto* target = ring.begin_write();
    if (target == nullptr)
        refuse_stream ("The stream has more frames than there is room for.");
    std::memcpy (target, message.data, ring.floats() * sizeof (float));
    ring.commit (sound.epoch, sound.index, sound.flags);
}

} // namespace detail

inline constexpr std::uint64_t stream_state_interval_ns = 10'000'000; // while input comes
inline constexpr std::uint64_t stream_idle_interval_ns = 100'000'000; // signs of life
inline constexpr std::uint64_t stream_input_interval_ns = 4'000'000;  // a finished frame goes at once
inline constexpr std::uint64_t server_silent_ns = 1'000'000'000;
// Live frames on their way at once. A network that is too slow for them all would else hold back each one
// longer than the one before, and none would come in time.
inline constexpr std::uint64_t stream_frames_under_way = 6;

// Beside the plugin: reads what the audio thread writes and writes what it reads. One thread; not the audio
// thread: it allocates.
class PluginStreamEnd
{
public:
    PluginStreamEnd (Segment& segment, const Ticket& ticket) : segment_ (segment), order_ (ticket) {}

    // The next message that is due, nullopt when none is. Never blocks; call it in short steps.
    std::optional<std::string> next (std::uint64_t now_ns)
    {
        if (auto frame = next_side_chain())
            return frame;
        return next_input (now_ns);
    }

    // A message from the server. Throws Error; the stream is of no more use then.
    void take (const void* data, std::size_t bytes, std::uint64_t now_ns)
    {
        const auto message = decode_stream (data, bytes);
        order_.check (message);
        if (message.kind == StreamKind::frame)
        {
            const auto& sound = std::get<StreamSound> (message.body);
            detail::take_frame (segment_.audio_out(), message);
            ++frames_received_;
            const auto sent = sent_at_.find (sound.epoch, sound.index);
            const std::uint64_t held = std::uint64_t{sound.held_us} * 1000;
            if (sent && sound.held_us != held_unknown && now_ns >= *sent + held)
                network_ns_ = now_ns - *sent - held;
        }
        else if (message.kind == StreamKind::state)
        {
            take_state (std::get<StreamState> (message.body));
        }
        else
        {
            detail::refuse_stream ("The server has sent what only plugins send.");
        }
        // This machine's own clock: the other one's means nothing here.
        segment_.server().heartbeat_ns.store (now_ns, std::memory_order_release);
    }

    // How long the last frame that was taken was under way, there and back without the server's own time;
    // once for each frame.
    std::optional<std::uint64_t> take_network_ns() noexcept { return std::exchange (network_ns_, {}); }

private:
    std::optional<std::string> next_side_chain()
    {
        auto& ring = segment_.audio_in();
        if (sides_sent_ - inputs_read_ >= ring.capacity())
            return std::nullopt;
        const auto frame = ring.front();
        if (!frame)
            return std::nullopt;
        ++sides_sent_;
        auto bytes = detail::encode_frame (StreamKind::side_chain, order_, ring, *frame, held_unknown);
        ring.release();
        return bytes;
    }

    std::optional<std::string> next_input (std::uint64_t now_ns)
    {
        events_.clear();
        const auto position = segment_.published().read();
        if (position && position->epoch != 0 && position->epoch != epoch_)
            enter_epoch();
        auto until = until_;
        if (position && position->epoch != 0 && position->epoch == epoch_ && read_events (position->until))
            until = position->until;
        const auto frame_samples = segment_.shape().frame_samples;
        const bool is_frame = until / frame_samples > until_ / frame_samples;
        const auto interval = until != until_ ? stream_input_interval_ns : stream_idle_interval_ns;
        // Events that were taken out of the ring must go; a mere position may wait for the next.
        if (events_.empty() && !is_frame && now_ns - input_sent_ns_ < interval)
            return std::nullopt;
        input_sent_ns_ = now_ns;
        if (epoch_ != 0)
            sent_at_.note_complete (epoch_, until_, until, frame_samples, now_ns);
        until_ = until;
        return encode (order_.ticket(), order_.next(), input(), events_);
    }

    void enter_epoch()
    {
        if (event_credit() == 0)
            return;
        const auto start = segment_.events().enter_newest_epoch();
        if (!start)
            return;
        epoch_ = start->epoch;
        until_ = 0;
        ++events_sent_;
        events_.push_back (Event::epoch_start (start->epoch, start->seed));
    }

    // True if all events before `until` are among those sent.
    bool read_events (std::uint64_t until)
    {
        const auto before = events_.size();
        const std::uint64_t available = segment_.events().available();
        const auto wanted =
            std::min ({available, event_credit(), std::uint64_t{limits::stream_events_maximum - before}});
        events_.resize (before + wanted);
        const auto count = segment_.events().read (until, events_.data() + before, wanted);
        events_.resize (before + count);
        events_sent_ += count;
        return count < wanted || wanted == available;
    }

    std::uint64_t event_credit() const noexcept
    {
        return segment_.description().events.capacity - (events_sent_ - events_read_);
    }

    StreamInput input() const
    {
        constexpr auto relaxed = std::memory_order_relaxed;
        const auto& plugin = segment_.plugin();
        StreamInput in;
        in.heartbeat = plugin.heartbeat.load (relaxed);
        in.until = epoch_ == 0 ? 0 : until_;
        in.epoch = epoch_;
        in.flags = plugin.flags.load (relaxed);
        in.frames_read = segment_.header().audio_out.read.load (std::memory_order_acquire);
        in.frames_received = frames_received_;
        in.underruns = plugin.underruns.load (relaxed);
        in.late_frames = plugin.late_frames.load (relaxed);
        in.lost_events = plugin.lost_events.load (relaxed);
        return in;
    }

    void take_state (const StreamState& state)
    {
        if (state.events_read > events_sent_ || state.events_read < events_read_ ||
            state.inputs_read > sides_sent_ || state.inputs_read < inputs_read_)
            detail::refuse_stream ("The server has read what was not sent.");
        events_read_ = state.events_read;
        inputs_read_ = state.inputs_read;
        auto& server = segment_.server();
        server.frames.store (state.frames, std::memory_order_release);
        server.epoch.store (state.epoch, std::memory_order_release);
        server.state.store (state.state, std::memory_order_release);
    }

    Segment& segment_;
    detail::StreamOrder order_;
    detail::FrameTimes sent_at_;
    std::optional<std::uint64_t> network_ns_;
    std::vector<Event> events_; // of the message that is being made
    std::uint64_t input_sent_ns_ = 0;
    std::uint32_t epoch_ = 0;
    std::uint64_t until_ = 0;
    std::uint64_t frames_received_ = 0;
    std::uint64_t events_sent_ = 0;
    std::uint64_t events_read_ = 0; // by the session
    std::uint64_t sides_sent_ = 0;
    std::uint64_t inputs_read_ = 0; // by the session
};

// Beside the session: writes what it reads and reads what it writes. One thread.
class ServerStreamEnd
{
public:
    // `segment`: the one that the session has attached, seen from the plugin's side.
    ServerStreamEnd (Segment& segment, const Ticket& ticket) : segment_ (segment), order_ (ticket) {}

    // A message from the plugin. Throws Error; the session is to be closed then.
    void take (const void* data, std::size_t bytes, std::uint64_t now_ns)
    {
        const auto message = decode_stream (data, bytes);
        order_.check (message);
        if (message.kind == StreamKind::input)
            take_input (message, now_ns);
        else if (message.kind == StreamKind::side_chain)
            detail::take_frame (segment_.audio_in(), message);
        else
            detail::refuse_stream ("The plugin has sent what only servers send.");
    }

    // The next message that is due, nullopt when none is.
    std::optional<std::string> next (std::uint64_t now_ns)
    {
        if (auto frame = next_frame (now_ns))
            return frame;
        return next_state (now_ns);
    }

    // The session has ended and the plugin has been told so.
    bool is_over() const noexcept
    {
        return told_.state == static_cast<std::uint32_t> (ServerState::failed) ||
               told_.state == static_cast<std::uint32_t> (ServerState::closed);
    }

private:
    void take_input (const StreamMessage& message, std::uint64_t now_ns)
    {
        const auto& in = std::get<StreamInput> (message.body);
        if (in.frames_received > frames_sent_ || in.frames_received < frames_received_ ||
            in.frames_read > in.frames_received || in.frames_read < frames_read_)
            detail::refuse_stream ("The plugin has read frames that were not sent.");
        if (in.epoch < epoch_ || (in.epoch == epoch_ && in.until < until_))
            detail::refuse_stream ("The plugin's clock has gone back.");
        if (in.event_count > segment_.events().free_slots())
            detail::refuse_stream ("The plugin has sent more events than there is room for.");
        frames_read_ = in.frames_read;
        frames_received_ = in.frames_received;
        for (std::uint32_t i = 0; i < in.event_count; ++i)
            segment_.events().push (message.event (i));
        if (in.epoch != 0)
        {
            const auto before = in.epoch == epoch_ ? until_ : 0;
            came_at_.note_complete (in.epoch, before, in.until, segment_.shape().frame_samples, now_ns);
            epoch_ = in.epoch;
            until_ = in.until;
            segment_.published().publish ({epoch_, until_});
        }
        constexpr auto relaxed = std::memory_order_relaxed;
        auto& plugin = segment_.plugin();
        plugin.heartbeat.store (in.heartbeat, relaxed);
        plugin.underruns.store (in.underruns, relaxed);
        plugin.late_frames.store (in.late_frames, relaxed);
        plugin.lost_events.store (in.lost_events, relaxed);
        plugin.flags.store (in.flags, relaxed);
        input_ns_ = now_ns;
    }

    std::optional<std::string> next_frame (std::uint64_t now_ns)
    {
        auto& ring = segment_.audio_out();
        if (is_live() && frames_sent_ - frames_received_ >= stream_frames_under_way)
        {
            // Only the newest waits: an older one could but come later still.
            for (; ring.available() > 1; ring.release())
                has_gap_ = true;
            return std::nullopt;
        }
        if (frames_sent_ - frames_read_ >= ring.capacity())
            return std::nullopt;
        auto frame = ring.front();
        if (!frame)
            return std::nullopt;
        if (std::exchange (has_gap_, false))
            frame->flags |= frame_flag::gap;
        const auto came = came_at_.find (frame->epoch, frame->index);
        const auto held_us = came && now_ns >= *came
                                 ? std::min<std::uint64_t> ((now_ns - *came) / 1000, held_unknown - 1)
                                 : held_unknown;
        ++frames_sent_;
        auto bytes = detail::encode_frame (StreamKind::frame, order_, ring, *frame,
                                           static_cast<std::uint32_t> (held_us));
        ring.release();
        return bytes;
    }

    bool is_live() const noexcept
    {
        return (segment_.plugin().flags.load (std::memory_order_relaxed) & plugin_flag::offline) == 0;
    }

    std::optional<std::string> next_state (std::uint64_t now_ns)
    {
        constexpr auto acquire = std::memory_order_acquire;
        const auto& server = segment_.server();
        StreamState now;
        now.state = std::min (server.state.load (acquire), static_cast<std::uint32_t> (ServerState::closed));
        now.epoch = server.epoch.load (acquire);
        now.frames = server.frames.load (acquire);
        now.events_read = segment_.header().events.read.load (acquire);
        now.inputs_read = segment_.header().audio_in.read.load (acquire);
        const bool is_new = now.state != told_.state;
        // A session whose server stands still gives no sign of life.
        const auto beat = server.heartbeat_ns.load (acquire);
        if (!is_new && now_ns > beat && now_ns - beat > server_silent_ns)
            return std::nullopt;
        const auto interval = input_ns_ > state_sent_ns_ ? stream_state_interval_ns : stream_idle_interval_ns;
        if (!is_new && now_ns - state_sent_ns_ < interval)
            return std::nullopt;
        told_ = now;
        state_sent_ns_ = now_ns;
        return encode (order_.ticket(), order_.next(), now);
    }

    Segment& segment_;
    detail::StreamOrder order_;
    detail::FrameTimes came_at_;
    StreamState told_;
    std::uint64_t state_sent_ns_ = 0;
    std::uint64_t input_ns_ = 0;
    std::uint32_t epoch_ = 0;
    std::uint64_t until_ = 0;
    std::uint64_t frames_sent_ = 0;
    std::uint64_t frames_read_ = 0;     // by the plugin's audio thread
    std::uint64_t frames_received_ = 0; // by its end
    bool has_gap_ = false;
};

} // namespace bandmate::protocol

// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/core/frame_player.hpp>

#include <algorithm>

namespace bandmate::core
{

namespace
{

// Also false for NaN. A model's samples lie in -1..1; what is far outside is memory gone wrong, not music.
bool is_playable (float sample) noexcept
{
    return sample > -16.0f && sample < 16.0f;
}

} // namespace

void FramePlayer::prepare (uint32_t frame_samples, uint32_t channels, uint32_t fade_samples)
{
    frame_samples_ = std::max (frame_samples, 1u);
    channels_ = channels;
    fade_samples_ = std::max (fade_samples, 1u);
    tail_.prepare (channels, fade_samples_);
    counts_ = {};
    restart (0, 0);
}

void FramePlayer::restart (uint32_t epoch, uint64_t position) noexcept
{
    epoch_ = epoch;
    position_ = position;
    fade_in_left_ = 0;
    in_gap_ = false;
    counted_gap_ = no_frame;
    tail_.clear();
}

uint32_t FramePlayer::read (protocol::AudioRing* ring, float* out, uint32_t count,
                            uint64_t complete_frames) noexcept
{
    const auto index = position_ / frame_samples_;
    const auto offset = static_cast<uint32_t> (position_ % frame_samples_);
    const auto part = std::min (count, frame_samples_ - offset);
    const auto frame = ring != nullptr ? find (*ring, index, complete_frames) : std::nullopt;

    if (frame)
        play (*frame, offset, out, part);
    else
        conceal (index, out, part);
    tail_.remember (out, part);
    position_ += part;
    if (frame && offset + part == frame_samples_)
        ring->release();
    return part;
}

bool FramePlayer::is_next_decided (protocol::AudioRing& ring, uint64_t complete_frames) noexcept
{
    // find() leaves at the front only the frame looked for or a later one.
    return find (ring, position_ / frame_samples_, complete_frames).has_value() || ring.available() > 0;
}

std::optional<protocol::FrameView> FramePlayer::find (protocol::AudioRing& ring, uint64_t index,
                                                      uint64_t complete_frames) noexcept
{
    // Bounded: a writer that fills the ring while it is being emptied cannot hold the audio thread here.
    for (uint32_t dropped = 0; dropped <= ring.capacity(); ++dropped)
    {
        const auto frame = ring.front();
        if (!frame)
            return std::nullopt;
        if (frame->epoch == epoch_ && frame->index < complete_frames)
        {
            if (frame->index == index)
                return frame;
            if (frame->index > index)
                return std::nullopt;
            ++counts_.late;
        }
        else if (frame->epoch >= epoch_)
        {
            ++counts_.bad;
        }
        ring.release();
    }
    return std::nullopt;
}

void FramePlayer::play (const protocol::FrameView& frame, uint32_t offset, float* out,
                        uint32_t count) noexcept
{
    if (in_gap_)
    {
        in_gap_ = false;
        fade_in_left_ = fade_samples_;
    }
    const auto* from = frame.samples + std::size_t{offset} * channels_;
    for (std::size_t i = 0; i < std::size_t{count} * channels_; ++i)
    {
        const auto sample = from[i];
        out[i] = is_playable (sample) ? sample : 0.0f;
    }
    const auto fading = std::min (count, fade_in_left_);
    for (uint32_t i = 0; i < fading; ++i, --fade_in_left_)
    {
        const auto gain = 1.0f - static_cast<float> (fade_in_left_) / static_cast<float> (fade_samples_);
        for (uint32_t c = 0; c < channels_; ++c)
            out[std::size_t{i} * channels_ + c] *= gain;
    }
    tail_.add_to (out, count);
}

void FramePlayer::conceal (uint64_t index, float* out, uint32_t count) noexcept
{
    if (!in_gap_)
    {
        in_gap_ = true;
        tail_.start();
    }
    if (counted_gap_ != index)
    {
        counted_gap_ = index;
        ++counts_.underruns;
    }
    std::fill_n (out, std::size_t{count} * channels_, 0.0f);
    tail_.add_to (out, count);
}

} // namespace bandmate::core

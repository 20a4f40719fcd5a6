// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/core/side_chain.hpp>

#include <algorithm>

namespace bandmate::core
{

namespace
{

constexpr uint32_t model_chunk_samples = 256;

} // namespace

void SideChain::prepare (const ModelFacts& model, double host_rate_hz, uint32_t max_block_samples)
{
    channels_ = model.channels;
    frame_samples_ = std::max (model.frame_samples, 1u);
    resampler_.reset();
    if (host_rate_hz != model.sample_rate_hz)
        resampler_.emplace (host_rate_hz, model.sample_rate_hz, model.channels);
    host_scratch_.assign (std::size_t{max_block_samples} * channels_, 0.0f);
    model_scratch_.assign (std::size_t{model_chunk_samples} * channels_, 0.0f);
    restart (0);
}

void SideChain::restart (uint32_t epoch) noexcept
{
    epoch_ = epoch;
    position_ = 0;
    frame_ = nullptr;
    has_gap_ = false;
    if (resampler_)
        resampler_->reset();
}

void SideChain::write (protocol::AudioRing& ring, const float* left, const float* right,
                       uint32_t count) noexcept
{
    for (uint32_t i = 0; i < count; ++i)
        for (uint32_t c = 0; c < channels_; ++c)
        {
            const auto* from = c == 0 ? left : c == 1 ? right : nullptr;
            host_scratch_[std::size_t{i} * channels_ + c] = from != nullptr ? from[i] : 0.0f;
        }
    if (!resampler_)
        return take (ring, host_scratch_.data(), count);
    for (uint32_t used = 0;;)
    {
        const auto moved = resampler_->process (host_scratch_.data() + std::size_t{used} * channels_,
                                                count - used, model_scratch_.data(), model_chunk_samples);
        used += moved.used;
        take (ring, model_scratch_.data(), moved.made);
        if (moved.made == 0)
            return;
    }
}

void SideChain::take (protocol::AudioRing& ring, const float* samples, uint32_t count) noexcept
{
    for (uint32_t done = 0; done < count;)
    {
        const auto offset = static_cast<uint32_t> (position_ % frame_samples_);
        if (offset == 0)
        {
            frame_ = ring.begin_write();
            has_gap_ |= frame_ == nullptr;
        }
        const auto part = std::min (count - done, frame_samples_ - offset);
        if (frame_ != nullptr)
            std::copy_n (samples + std::size_t{done} * channels_, std::size_t{part} * channels_,
                         frame_ + std::size_t{offset} * channels_);
        if (frame_ != nullptr && offset + part == frame_samples_)
        {
            ring.commit (epoch_, position_ / frame_samples_, has_gap_ ? protocol::frame_flag::gap : 0);
            has_gap_ = false;
        }
        position_ += part;
        done += part;
    }
}

} // namespace bandmate::core

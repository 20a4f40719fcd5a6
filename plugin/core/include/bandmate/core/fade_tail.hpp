// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bandmate::core
{

// Ends sound without a click when nothing follows it: plays the last samples backwards while fading them out,
// so that the first sample of the tail is the last one heard. Interleaved samples. Owned by one thread.
class FadeTail
{
public:
    // Allocates.
    void prepare (uint32_t channels, uint32_t length_samples)
    {
        channels_ = channels;
        length_ = length_samples;
        history_.assign (std::size_t{channels} * length_samples, 0.0f);
        tail_.assign (history_.size(), 0.0f);
        clear();
    }

    void clear() noexcept
    {
        for (auto& sample : history_)
            sample = 0.0f;
        write_ = 0;
        left_ = 0;
    }

    // What was heard, the tail's own samples included.
    void remember (const float* samples, uint32_t count) noexcept
    {
        const auto kept = count < length_ ? count : length_;
        const auto* from = samples + std::size_t{count - kept} * channels_;
        const auto first = kept < length_ - write_ ? kept : length_ - write_;
        std::copy_n (from, std::size_t{first} * channels_, history_.data() + std::size_t{write_} * channels_);
        std::copy_n (from + std::size_t{first} * channels_, std::size_t{kept - first} * channels_,
                     history_.data());
        write_ = (write_ + kept) % length_;
    }

    // The sound ends here.
    void start() noexcept
    {
        auto read = write_;
        for (uint32_t i = 0; i < length_; ++i)
        {
            read = read == 0 ? length_ - 1 : read - 1;
            const auto gain = 1.0f - static_cast<float> (i) / static_cast<float> (length_);
            for (uint32_t c = 0; c < channels_; ++c)
                tail_[std::size_t{i} * channels_ + c] = history_[std::size_t{read} * channels_ + c] * gain;
        }
        left_ = length_;
    }

    // Adds the next `count` samples of the tail to `out`; nothing once it has ended.
    void add_to (float* out, uint32_t count) noexcept
    {
        const auto part = count < left_ ? count : left_;
        const auto* from = tail_.data() + std::size_t{length_ - left_} * channels_;
        for (std::size_t i = 0; i < std::size_t{part} * channels_; ++i)
            out[i] += from[i];
        left_ -= part;
    }

    bool is_sounding() const noexcept { return left_ > 0; }

private:
    uint32_t channels_ = 0;
    uint32_t length_ = 0;
    uint32_t write_ = 0;
    uint32_t left_ = 0;
    std::vector<float> history_; // ring of the last `length_` samples
    std::vector<float> tail_;
};

} // namespace bandmate::core

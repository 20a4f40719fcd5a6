// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <atomic>
#include <cmath>

namespace bandmate::plugin
{

// Levels of the output for a meter: written by the audio thread once a block, read by an editor. Relaxed: a
// peak that falls between a read and the store after it shows a block later or not at all.
class LevelMeter
{
public:
    static constexpr int channels = 2;

    struct Reading
    {
        float peak = 0.0f; // the loudest sample since the last reading
        float rms = 0.0f;  // over about 0.3 s
    };

    void prepare (double sample_rate) noexcept
    {
        constexpr double window_seconds = 0.3;
        per_sample_ = 1.0 / (window_seconds * sample_rate);
        for (auto& channel : channels_)
            channel.square.store (0.0f, std::memory_order_relaxed);
    }

    // Audio thread: one channel of a block.
    void measure (int channel, const float* samples, int count) noexcept
    {
        auto& to = channels_[static_cast<std::size_t> (channel)];
        float peak = 0.0f;
        double sum = 0.0;
        for (int i = 0; i < count; ++i)
        {
            peak = std::fmax (peak, std::abs (samples[i]));
            sum += double{samples[i]} * samples[i];
        }
        if (count > 0)
        {
            const double share = 1.0 - std::exp (-per_sample_ * count);
            const double before = to.square.load (std::memory_order_relaxed);
            to.square.store (static_cast<float> (before + share * (sum / count - before)),
                             std::memory_order_relaxed);
        }
        if (peak > to.peak.load (std::memory_order_relaxed))
            to.peak.store (peak, std::memory_order_relaxed);
    }

    // Audio thread: a sample went over full scale.
    void mark_over() noexcept { over_.store (true, std::memory_order_relaxed); }

    Reading read (int channel) noexcept
    {
        auto& from = channels_[static_cast<std::size_t> (channel)];
        return {from.peak.exchange (0.0f, std::memory_order_relaxed),
                std::sqrt (from.square.load (std::memory_order_relaxed))};
    }

    bool has_been_over() const noexcept { return over_.load (std::memory_order_relaxed); }
    void clear_over() noexcept { over_.store (false, std::memory_order_relaxed); }

private:
    struct Channel
    {
        std::atomic<float> peak{0.0f};
        std::atomic<float> square{0.0f};
    };

    std::array<Channel, channels> channels_;
    std::atomic<bool> over_{false};
    double per_sample_ = 0.0;
};

} // namespace bandmate::plugin

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
        share_count_ = 0;
        for (auto& channel : channels_)
            channel.square.store (0.0f, std::memory_order_relaxed);
    }

    // Audio thread: one channel of a block.
    void measure (int channel, const float* samples, int count) noexcept
    {
        auto& to = channels_[static_cast<std::size_t> (channel)];
        float peak = 0.0f;
        double sum = 0.0;
        // In lanes that do not wait for each other; a block's squares in float, for sums of this length.
        float peaks[lanes] = {}, sums[lanes] = {};
        int at = 0;
        for (; at + lanes <= count; at += lanes)
            for (int lane = 0; lane < lanes; ++lane)
            {
                const float level = std::abs (samples[at + lane]);
                peaks[lane] = peaks[lane] < level ? level : peaks[lane];
                sums[lane] += level * level;
            }
        for (; at < count; ++at)
        {
            peaks[0] = peaks[0] < std::abs (samples[at]) ? std::abs (samples[at]) : peaks[0];
            sums[0] += samples[at] * samples[at];
        }
        for (int lane = 0; lane < lanes; ++lane)
        {
            peak = peak < peaks[lane] ? peaks[lane] : peak;
            sum += double{sums[lane]};
        }
        if (count > 0)
        {
            if (count != share_count_)
            {
                share_count_ = count;
                share_ = 1.0 - std::exp (-per_sample_ * count);
            }
            const double before = to.square.load (std::memory_order_relaxed);
            to.square.store (static_cast<float> (before + share_ * (sum / count - before)),
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
    static constexpr int lanes = 8;

    struct Channel
    {
        std::atomic<float> peak{0.0f};
        std::atomic<float> square{0.0f};
    };

    std::array<Channel, channels> channels_;
    std::atomic<bool> over_{false};
    double per_sample_ = 0.0;
    double share_ = 0.0; // of the mean square that a block of `share_count_` samples replaces
    int share_count_ = 0;
};

} // namespace bandmate::plugin

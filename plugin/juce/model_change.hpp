// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

namespace bandmate::plugin
{

// From the sound of one model to that of another: the old one plays until the new one has played for a moment
// without a gap, unheard; then one fades into the other. What says nothing else is the audio thread's.
class ModelChange
{
public:
    // While no block is processed. Allocates.
    void prepare (double host_rate_hz, int max_block_samples)
    {
        steady_wanted_ = static_cast<uint64_t> (steady_seconds * host_rate_hz);
        patience_ = static_cast<uint64_t> (patience_seconds * host_rate_hz);
        fade_step_ = static_cast<float> (1.0 / (fade_seconds * host_rate_hz));
        left_.assign (static_cast<size_t> (max_block_samples), 0.0f);
        right_.assign (static_cast<size_t> (max_block_samples), 0.0f);
    }

    // While no block is processed.
    void start() noexcept
    {
        share_ = 0.0f;
        due_samples_ = 0;
        stage_.store (Stage::waiting, std::memory_order_relaxed);
    }

    // Any thread.
    bool is_fading() const noexcept { return stage_.load (std::memory_order_acquire) == Stage::fading; }
    bool is_over() const noexcept { return stage_.load (std::memory_order_acquire) == Stage::over; }

    // At once: a host that renders offline waits for the new model.
    void skip() noexcept { stage_.store (Stage::over, std::memory_order_release); }

    // Where the new model's sound of this block belongs.
    float* left() noexcept { return left_.data(); }
    float* right() noexcept { return right_.data(); }

    // Mixes it into the old one's. `is_due`: it should sound by now. `steady_samples`: for how long it has
    // come without a gap.
    void mix (float* left, float* right, int count, bool is_due, uint64_t steady_samples) noexcept
    {
        due_samples_ = is_due ? due_samples_ + static_cast<uint64_t> (count) : 0;
        // A machine that cannot play both at once must not keep the old one for ever.
        if (stage_.load (std::memory_order_relaxed) == Stage::waiting && is_due &&
            (steady_samples >= steady_wanted_ || due_samples_ > patience_))
            stage_.store (Stage::fading, std::memory_order_release);
        if (stage_.load (std::memory_order_relaxed) == Stage::waiting)
            return;
        for (int i = 0; i < count; ++i)
        {
            share_ = std::min (1.0f, share_ + fade_step_);
            left[i] += share_ * (left_[static_cast<size_t> (i)] - left[i]);
            right[i] += share_ * (right_[static_cast<size_t> (i)] - right[i]);
        }
        if (share_ >= 1.0f)
            stage_.store (Stage::over, std::memory_order_release);
    }

private:
    enum class Stage
    {
        waiting,
        fading,
        over,
    };

    static constexpr double steady_seconds = 0.1;
    static constexpr double patience_seconds = 1.5;
    static constexpr double fade_seconds = 0.03;

    std::atomic<Stage> stage_{Stage::waiting};
    float share_ = 0.0f;
    float fade_step_ = 1.0f;
    uint64_t due_samples_ = 0;
    uint64_t steady_wanted_ = 0;
    uint64_t patience_ = 0;
    std::vector<float> left_, right_;
};

} // namespace bandmate::plugin

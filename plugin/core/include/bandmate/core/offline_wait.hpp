// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace bandmate::core
{

// How far the link has got. Written by the link and message threads, read by the audio thread.
enum class SessionProgress : int
{
    unavailable, // no use to wait: there is no server, or it has failed
    coming,      // a server is starting, a model loading, or prompts are being encoded
    ready,       // frames come, with the prompts asked for
};

// The audio thread's patience when the host does not render in real time. Live code paths hold no
// OfflineWait.
class OfflineWait
{
public:
    using Clock = std::chrono::steady_clock;

    struct Limits
    {
        std::chrono::milliseconds session{60000}; // until a session is ready
        std::chrono::milliseconds frames{10000};  // for all frames of one block
    };

    explicit OfflineWait (const std::atomic<SessionProgress>& progress) noexcept : progress_ (progress) {}

    void set_limits (Limits limits) noexcept { limits_ = limits; }

    void begin_block() noexcept
    {
        frames_left_ = frames_given_up_ ? std::chrono::milliseconds (0) : limits_.frames;
    }

    // Returns when `done` is true, when it is of no use to wait, or at the limit.
    template <typename Done>
    void for_session (Done done) noexcept
    {
        if (is_ready())
            session_given_up_ = false;
        const auto end = Clock::now() + limits_.session;
        while (!done())
        {
            if (session_given_up_ || is_hopeless())
                return;
            session_given_up_ =
                Clock::now() >= end; // a whole bounce must not wait again for each of its blocks
            std::this_thread::sleep_for (std::chrono::milliseconds (1));
        }
    }

    // Returns true when `done` is true; false when `hopeless` is true or the block's patience has run out.
    template <typename Done, typename Hopeless>
    bool for_frame (Done done, Hopeless hopeless) noexcept
    {
        const auto start = Clock::now();
        auto pause = std::chrono::microseconds (20);
        bool found = done();
        while (!found && Clock::now() - start < frames_left_ && !hopeless())
        {
            std::this_thread::sleep_for (pause);
            pause = std::min (pause * 2, std::chrono::microseconds (1000));
            found = done();
        }
        const auto spent = std::chrono::duration_cast<std::chrono::milliseconds> (Clock::now() - start);
        frames_left_ = std::max (frames_left_ - spent, std::chrono::milliseconds (0));
        if (found)
            frames_given_up_ = false;
        else if (frames_left_.count() == 0)
            frames_given_up_ = true;
        return found;
    }

    void begin_epoch() noexcept { frames_given_up_ = false; }

    bool is_ready() const noexcept
    {
        return progress_.load (std::memory_order_acquire) == SessionProgress::ready;
    }
    bool is_hopeless() const noexcept
    {
        return progress_.load (std::memory_order_acquire) == SessionProgress::unavailable;
    }

    bool has_given_up() const noexcept { return session_given_up_ || frames_given_up_; }

private:
    const std::atomic<SessionProgress>& progress_;
    Limits limits_;
    std::chrono::milliseconds frames_left_{0};
    bool session_given_up_ = false;
    bool frames_given_up_ = false;
};

} // namespace bandmate::core

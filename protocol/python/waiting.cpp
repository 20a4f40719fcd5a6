// SPDX-License-Identifier: Apache-2.0
// Waiting for the plugin's input without the GIL.
#include "binding.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <thread>
#include <tuple>
#include <vector>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace bandmate::python
{

namespace
{

using Clock = std::chrono::steady_clock;

// A wait costs two thousand short wake-ups a second and adds at most this much to a frame's start.
constexpr auto poll_step = std::chrono::microseconds (500);
// A wait that knows when its input is due looks seldom before, and closely from a little earlier on.
constexpr auto coarse_step = std::chrono::microseconds (2000);
constexpr auto close_step = std::chrono::microseconds (100);
constexpr auto close_lead = std::chrono::microseconds (1000);
// How often a wait looks for Ctrl-C.
constexpr auto signal_step = std::chrono::milliseconds (100);
constexpr double timeout_maximum_s = 3600.0;

struct Target
{
    std::shared_ptr<protocol::Segment> segment;
    std::uint32_t epoch;
    std::uint64_t until;

    // The position if it is at `until` of `epoch` or beyond, or in a newer epoch.
    std::optional<protocol::Position> reached() const
    {
        const auto position = segment->published().read();
        if (position.has_value() &&
            (position->epoch > epoch || (position->epoch == epoch && position->until >= until)))
            return position;
        return std::nullopt;
    }
};

Clock::duration checked (double timeout_s)
{
    if (!(timeout_s >= 0.0 && timeout_s <= timeout_maximum_s))
        throw nb::value_error ("timeout_s must be from 0 to 3600");
    return std::chrono::duration_cast<Clock::duration> (std::chrono::duration<double> (timeout_s));
}

// Polls `is_done` at absolute times, so that a late wake-up does not delay the next one.
template <typename IsDone>
void poll (double timeout_s, IsDone is_done)
{
    const auto start = Clock::now();
    const auto end = start + checked (timeout_s);
    auto next = start;
    while (!is_done())
    {
        const auto slice_end = std::min (end, next + signal_step);
        bool done = false;
        {
            const nb::gil_scoped_release unlocked;
            while (!(done = is_done()) && Clock::now() < slice_end)
            {
                next = std::max (next + poll_step, Clock::now());
                std::this_thread::sleep_until (std::min (next, slice_end));
            }
        }
        if (PyErr_CheckSignals() != 0)
            throw nb::python_error();
        if (done || Clock::now() >= end)
            return;
    }
}

std::optional<std::pair<std::uint32_t, std::uint64_t>>
wait_published (const SegmentHandle& handle, std::uint32_t epoch, std::uint64_t until, double timeout_s)
{
    handle.open();
    const Target target{handle.segment, epoch, until};
    std::optional<protocol::Position> position;
    poll (timeout_s, [&] { return (position = target.reached()).has_value(); });
    if (!position.has_value())
        return std::nullopt;
    return std::pair (position->epoch, position->until);
}

std::vector<std::size_t>
wait_any (const std::vector<std::tuple<const SegmentHandle*, std::uint32_t, std::uint64_t>>& wanted,
          double timeout_s)
{
    std::vector<Target> targets;
    for (const auto& [handle, epoch, until] : wanted)
    {
        handle->open();
        targets.push_back ({handle->segment, epoch, until});
    }
    std::vector<std::size_t> ready;
    poll (timeout_s,
          [&]
          {
              for (std::size_t i = 0; i < targets.size(); ++i)
                  if (targets[i].reached().has_value())
                      ready.push_back (i);
              return !ready.empty();
          });
    return ready;
}

// Kernels add 50 us to a sleep to save power unless a thread asks for less.
void sleep_exactly()
{
#if defined(__linux__)
    thread_local const bool is_set = prctl (PR_SET_TIMERSLACK, 1UL) == 0;
    (void) is_set;
#endif
}

// As wait_any; `due_s`: when the input may come, seconds from now, negative if it may be there already.
// Returns who is ready and for how long nobody looked before: the input has waited no longer than that.
std::pair<std::vector<std::size_t>, double>
wait_due (const std::vector<std::tuple<const SegmentHandle*, std::uint32_t, std::uint64_t>>& wanted,
          double due_s, double timeout_s)
{
    if (!std::isfinite (due_s))
        throw nb::value_error ("due_s must be a number");
    std::vector<Target> targets;
    for (const auto& [handle, epoch, until] : wanted)
    {
        handle->open();
        targets.push_back ({handle->segment, epoch, until});
    }
    sleep_exactly();
    const auto start = Clock::now();
    const auto end = start + checked (timeout_s);
    const auto due = std::chrono::duration<double> (std::clamp (due_s, 0.0, timeout_maximum_s));
    const auto close_from = start + std::chrono::duration_cast<Clock::duration> (due) - close_lead;
    std::vector<std::size_t> ready;
    auto looked = start, before = start;
    {
        const nb::gil_scoped_release unlocked;
        while (true)
        {
            before = looked;
            looked = Clock::now();
            for (std::size_t i = 0; i < targets.size(); ++i)
                if (targets[i].reached().has_value())
                    ready.push_back (i);
            if (!ready.empty() || looked >= end)
                break;
            const auto next =
                looked < close_from ? std::min (looked + coarse_step, close_from) : looked + close_step;
            std::this_thread::sleep_until (std::min (next, end));
        }
    }
    if (PyErr_CheckSignals() != 0)
        throw nb::python_error();
    return {std::move (ready), std::chrono::duration<double> (looked - before).count()};
}

} // namespace

void bind_waiting (nb::module_& m)
{
    m.def ("monotonic_ns", &protocol::monotonic_ns, "The clock of the heartbeats, in nanoseconds.");
    m.def ("wait_any", &wait_any, nb::arg ("targets"), nb::arg ("timeout_s"));
    m.def ("wait_due", &wait_due, nb::arg ("targets"), nb::arg ("due_s"), nb::arg ("timeout_s"),
           "Which of the targets are ready, and for how many seconds nobody had looked before.");
    auto segment = nb::borrow<nb::class_<SegmentHandle>> (m.attr ("Segment"));
    segment.def ("wait_published", &wait_published, nb::arg ("epoch"), nb::arg ("until"),
                 nb::arg ("timeout_s"));
}

} // namespace bandmate::python

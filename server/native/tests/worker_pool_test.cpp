// SPDX-License-Identifier: GPL-3.0-or-later
#include "../blas/worker_pool.hpp"

#include "catch.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace
{

using bandmate::blas::WorkerPool;

// What a part must find: its own job's context, and its own number among that job's parts.
struct Job
{
    int kind;
    int parts;
    std::array<std::atomic<int>, 32>& runs;
    std::atomic<int>& strangers;
};

template <int Kind>
void part (const void* context, int index)
{
    const auto& job = *static_cast<const Job*> (context);
    if (job.kind == Kind && index < job.parts)
        ++job.runs[static_cast<std::size_t> (index)];
    else
        ++job.strangers;
}

} // namespace

// A job of few parts before one of many: a late worker must not take the first's number for the second's.
TEST_CASE ("each part of each job runs once, with its own context", "[pool]")
{
    WorkerPool pool (4);
    std::array<std::atomic<int>, 32> runs{};
    std::atomic<int> strangers{0};
    int wrong = 0;
    for (int round = 0; round < 300000; ++round)
    {
        const bool few = round % 2 == 0;
        const Job job{few ? 1 : 2, few ? 2 : 24, runs, strangers};
        for (auto& count : runs)
            count.store (0, std::memory_order_relaxed);
        pool.run (few ? part<1> : part<2>, &job, job.parts);
        for (int i = 0; i < job.parts; ++i)
            wrong += runs[static_cast<std::size_t> (i)] != 1;
    }
    CHECK (wrong == 0);
    CHECK (strangers == 0);
}

#if defined(__linux__)
namespace
{

// A job of two parts, of which a worker is to take one: the caller holds the other until it has.
struct Meeting
{
    std::thread::id caller;
    int callersCore;
    std::atomic<bool> met{false};
    std::atomic<bool> mayShareCore{false};
};

void meet (const void* context, int)
{
    auto& meeting = *static_cast<Meeting*> (const_cast<void*> (context));
    if (std::this_thread::get_id() != meeting.caller)
    {
        cpu_set_t allowed;
        sched_getaffinity (0, sizeof allowed, &allowed);
        meeting.mayShareCore = CPU_ISSET (static_cast<std::size_t> (meeting.callersCore), &allowed);
        meeting.met = true;
        return;
    }
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds (2);
    while (!meeting.met && std::chrono::steady_clock::now() < patience)
        std::this_thread::yield();
}

} // namespace

TEST_CASE ("a worker is kept off the core of whoever posts", "[pool]")
{
    cpu_set_t allowed;
    REQUIRE (sched_getaffinity (0, sizeof allowed, &allowed) == 0);
    if (CPU_COUNT (&allowed) < 2)
        return;

    WorkerPool pool (2);
    int met = 0;
    int shared = 0;
    for (int round = 0; round < 50; ++round)
    {
        std::this_thread::sleep_for (std::chrono::milliseconds (2)); // the worker sleeps by then
        Meeting meeting{std::this_thread::get_id(), sched_getcpu()};
        pool.run (meet, &meeting, 2);
        if (!meeting.met || sched_getcpu() != meeting.callersCore)
            continue; // the system moved the caller meanwhile
        ++met;
        shared += meeting.mayShareCore ? 1 : 0;
    }
    CHECK (met > 0);
    CHECK (shared == 0);
}
#endif

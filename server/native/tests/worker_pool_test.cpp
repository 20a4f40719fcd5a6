// SPDX-License-Identifier: GPL-3.0-or-later
#include "../blas/worker_pool.hpp"

#include "catch.hpp"

#include <array>
#include <atomic>

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

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace bandmate::blas
{

// Shares the parts of one job at a time among a few threads that are quick to react.
//
// A frame is some hundred products of a few microseconds each: workers look for the next job for a
// short while before they sleep, and whoever posts a job works on it as well and waits only for
// parts that others have already taken. A worker that is late costs nothing.
//
// On Linux workers are kept off the core of whoever posts. A thread that sleeps between frames is
// often woken on the core of the one that wakes it, and left there for longer than a frame takes:
// the two then took turns, and a frame twice its time.
class WorkerPool
{
public:
    using Part = void (*) (const void* context, int part);

    // `threads` counts the caller: 1 means no workers.
    explicit WorkerPool (int threads);
    ~WorkerPool();

    WorkerPool (const WorkerPool&) = delete;
    WorkerPool& operator= (const WorkerPool&) = delete;

    int threads() const { return static_cast<int> (workers.size()) + 1; }

    // Calls part (context, i) for each i in [0, parts), returns when all have returned. When
    // another thread is using the pool, the caller does all of them.
    void run (Part part, const void* context, int parts);

private:
    bool takeOne (std::uint32_t job);
    void work();

    // High half: job number; low half: the next part to be taken. One word, so that a part can
    // only be taken from the job that it was read for.
    std::atomic<std::uint64_t> next{0};
    std::atomic<Part> jobPart{nullptr};
    std::atomic<const void*> jobContext{nullptr};
    std::atomic<std::uint32_t> jobParts{0};
    std::atomic<std::uint32_t> finished{0};

    std::mutex posting;
    int callersCore = -1; // that the workers are kept off
    std::mutex sleeping;
    std::condition_variable wake;
    std::atomic<int> sleepers{0};
    std::atomic<bool> stopping{false};
    std::vector<std::thread> workers;
};

} // namespace bandmate::blas

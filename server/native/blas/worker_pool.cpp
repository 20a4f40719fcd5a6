// SPDX-License-Identifier: GPL-3.0-or-later
#include "worker_pool.hpp"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace bandmate::blas
{
namespace
{

// Longer than the pauses between a frame's products, far shorter than those between frames.
constexpr auto lookingTime = std::chrono::microseconds (200);
// Longer than a part takes that is being computed: some hundred microseconds.
constexpr int looksBeforeYield = 4000;
// Instead of a job's next part: it has none.
constexpr std::uint32_t closed = 0xffffffff;

void relax()
{
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

std::uint32_t jobOf (std::uint64_t word)
{
    return static_cast<std::uint32_t> (word >> 32);
}
std::uint32_t partOf (std::uint64_t word)
{
    return static_cast<std::uint32_t> (word);
}

// -1 where threads cannot be told to stay off a core.
int currentCore()
{
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}

// The threads may run where this one may, but not on `core`; where that leaves nothing, nothing changes.
void keepOff ([[maybe_unused]] int core, [[maybe_unused]] std::vector<std::thread>& threads)
{
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity (0, sizeof allowed, &allowed) != 0)
        return;
    CPU_CLR (static_cast<std::size_t> (core), &allowed);
    if (CPU_COUNT (&allowed) == 0)
        return;
    for (auto& thread : threads)
        pthread_setaffinity_np (thread.native_handle(), sizeof allowed, &allowed);
#endif
}

} // namespace

WorkerPool::WorkerPool (int threads)
{
    for (int i = 1; i < threads; ++i)
        workers.emplace_back ([this] { work(); });
}

WorkerPool::~WorkerPool()
{
    {
        const std::lock_guard lock (sleeping);
        stopping = true;
    }
    wake.notify_all();
    for (auto& worker : workers)
        worker.join();
}

bool WorkerPool::takeOne (std::uint32_t job)
{
    auto word = next.load (std::memory_order_acquire);
    for (;;)
    {
        // Acquire: whoever sees anything of the next job sees this one closed too, and fails below.
        if (jobOf (word) != job || partOf (word) >= jobParts.load (std::memory_order_acquire))
            return false;
        const auto part = jobPart.load (std::memory_order_acquire);
        const auto* context = jobContext.load (std::memory_order_acquire);
        // Success proves that what was read is of this job: it cannot end before this part has.
        if (next.compare_exchange_weak (word, word + 1, std::memory_order_acq_rel))
        {
            part (context, static_cast<int> (partOf (word)));
            finished.fetch_add (1, std::memory_order_release);
            return true;
        }
    }
}

void WorkerPool::run (Part part, const void* context, int parts)
{
    const std::unique_lock lock (posting, std::try_to_lock);
    if (!lock.owns_lock() || workers.empty() || parts < 2)
    {
        for (int i = 0; i < parts; ++i)
            part (context, i);
        return;
    }

    if (const int core = currentCore(); core != callersCore)
    {
        callersCore = core;
        keepOff (core, workers);
    }

    // The last job is closed before anything of it is overwritten: a worker that was stopped while it
    // looked at it could otherwise take a part that never was, of the new job under the old number.
    const auto last = jobOf (next.load (std::memory_order_relaxed));
    next.store ((static_cast<std::uint64_t> (last) << 32) | closed, std::memory_order_relaxed);
    const auto job = last + 1;
    jobPart.store (part, std::memory_order_release);
    jobContext.store (context, std::memory_order_release);
    jobParts.store (static_cast<std::uint32_t> (parts), std::memory_order_release);
    finished.store (0, std::memory_order_relaxed);
    next.store (static_cast<std::uint64_t> (job) << 32, std::memory_order_seq_cst);
    if (sleepers.load (std::memory_order_seq_cst) > 0)
    {
        {
            const std::lock_guard wakeLock (sleeping);
        }
        wake.notify_all();
    }

    while (takeOne (job))
    {
    }
    // On a busy machine, whoever took the last part may have been stopped: then this one is in the way.
    for (int i = 0; finished.load (std::memory_order_acquire) < static_cast<std::uint32_t> (parts); ++i)
        if (i < looksBeforeYield)
            relax();
        else
            std::this_thread::yield();
}

void WorkerPool::work()
{
    std::uint32_t done = 0;
    const auto posted = [&]
    {
        return jobOf (next.load (std::memory_order_seq_cst)) != done;
    };

    while (!stopping.load (std::memory_order_relaxed))
    {
        const auto until = std::chrono::steady_clock::now() + lookingTime;
        while (!posted() && std::chrono::steady_clock::now() < until)
            for (int i = 0; i < 16; ++i)
                relax();

        if (!posted())
        {
            std::unique_lock lock (sleeping);
            sleepers.fetch_add (1, std::memory_order_seq_cst);
            wake.wait (lock, [&] { return stopping.load() || posted(); });
            sleepers.fetch_sub (1, std::memory_order_seq_cst);
            if (stopping)
                return;
        }

        const auto job = jobOf (next.load (std::memory_order_acquire));
        while (takeOne (job))
        {
        }
        done = job;
    }
}

} // namespace bandmate::blas

// SPDX-License-Identifier: GPL-3.0-or-later
// Each interceptor is seen to fire on a block that misbehaves on purpose.
#include "catch.hpp"

#include <audio_guard.hpp>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <sched.h>
#include <shared_mutex>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace
{

// Keeps the optimiser from leaving an allocation out.
void use (const void* memory)
{
    asm volatile("" : : "r"(memory) : "memory");
}

template <typename Block>
bandmate_audio_guard_counts counts_of (Block block, bool may_wait = false)
{
    bandmate_audio_guard_reset();
    bandmate_audio_block_begin (may_wait ? 1 : 0);
    block();
    bandmate_audio_block_end();
    bandmate_audio_guard_counts counts;
    bandmate_audio_guard_read (&counts);
    REQUIRE (counts.blocks == 1);
    return counts;
}

} // namespace

TEST_CASE ("A block that only computes counts nothing")
{
    float x = 0.5f;
    const auto counts = counts_of (
        [&x]
        {
            for (int i = 0; i < 1000; ++i)
                x = std::sin (x) + 0.1f;
        });
    CHECK (x > 0.0f);
    CHECK (counts.allocations == 0);
    CHECK (counts.locks == 0);
    CHECK (counts.system_calls == 0);
    CHECK (counts.watches_system_calls == 1);
}

TEST_CASE ("Allocations are counted, in every form")
{
    CHECK (counts_of (
               []
               {
                   void* p = std::malloc (100);
                   use (p);
                   std::free (p);
               })
               .allocations == 2);
    CHECK (counts_of (
               []
               {
                   auto* p = new int (1);
                   use (p);
                   delete p;
               })
               .allocations == 2);
    CHECK (counts_of (
               []
               {
                   const std::vector<float> v (4096);
                   use (v.data());
               })
               .allocations == 2);
    CHECK (counts_of (
               []
               {
                   auto* p = std::calloc (2, 50);
                   use (p);
                   p = std::realloc (p, 5000);
                   use (p);
                   std::free (p);
               })
               .allocations == 3);
    CHECK (counts_of (
               []
               {
                   void* p = nullptr;
                   REQUIRE (posix_memalign (&p, 64, 128) == 0);
                   use (p);
                   std::free (p);
               })
               .allocations == 2);
    auto owned = std::make_unique<int> (5);
    CHECK (counts_of ([&owned] { owned.reset(); }).allocations == 1); // to free is as bad
}

TEST_CASE ("Locks are counted, taken or waited for")
{
    std::mutex mutex;
    std::shared_mutex shared;
    CHECK (counts_of ([&] { const std::lock_guard lock (mutex); }).locks == 1);
    CHECK (counts_of ([&] { const std::shared_lock lock (shared); }).locks == 1);
    CHECK (counts_of ([&] { const std::unique_lock lock (shared); }).locks == 1);
    CHECK (counts_of (
               [&]
               {
                   if (mutex.try_lock())
                       mutex.unlock();
               })
               .locks == 0);
}

TEST_CASE ("System calls are counted, by library or by hand, and still work")
{
    const auto pid = ::getpid();
    long by_hand = 0;
    const auto one = counts_of ([&by_hand] { by_hand = ::syscall (SYS_getpid); });
    CHECK (one.system_calls == 1);
    CHECK (one.last_system_call == SYS_getpid);
    CHECK (by_hand == pid);
    CHECK (counts_of (
               []
               {
                   ::sched_yield();
                   ::sched_yield();
                   ::sched_yield();
               })
               .system_calls == 3);
    CHECK (counts_of ([] { std::this_thread::sleep_for (std::chrono::microseconds (1)); }).system_calls == 1);
    CHECK (counts_of ([] { std::ofstream ("/dev/null") << "text" << std::flush; }).system_calls >= 3);
    CHECK (counts_of ([] { std::thread ([] {}).join(); }).system_calls >= 1);
}

TEST_CASE ("A block that may wait may sleep, and nothing else")
{
    const auto counts = counts_of (
        []
        {
            std::this_thread::sleep_for (std::chrono::microseconds (1));
            ::sched_yield();
        },
        true);
    CHECK (counts.waits == 1);
    CHECK (counts.system_calls == 1);
}

TEST_CASE ("Other threads are not watched")
{
    std::atomic<int> phase{0};
    std::thread other (
        [&phase]
        {
            while (phase == 0)
                std::this_thread::yield();
            for (int i = 0; i < 100; ++i)
                std::free (std::malloc (10));
            phase = 2;
        });
    const auto counts = counts_of (
        [&phase]
        {
            phase = 1;
            while (phase != 2)
                continue;
        });
    other.join();
    CHECK (counts.allocations == 0);
    CHECK (counts.system_calls == 0);
}

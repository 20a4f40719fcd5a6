// SPDX-License-Identifier: GPL-3.0-or-later
#include "audio_guard.hpp"
#include "system_call_trap.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <pthread.h>

namespace
{

std::atomic<uint64_t> blocks, allocations, locks, last_place;

// Initial-exec: reading it never allocates, as the first touch of an ordinary one may.
__thread bool in_block __attribute__ ((tls_model ("initial-exec"))) = false;

void count (std::atomic<uint64_t>& counter, void* place)
{
    if (!in_block)
        return;
    counter.fetch_add (1, std::memory_order_relaxed);
    last_place.store (reinterpret_cast<uint64_t> (place), std::memory_order_relaxed);
}

template <typename Function>
Function* next (Function*& cache, const char* name)
{
    if (cache == nullptr)
        cache = reinterpret_cast<Function*> (dlsym (RTLD_NEXT, name));
    return cache;
}

int (*next_mutex_lock) (pthread_mutex_t*) = nullptr;
int (*next_read_lock) (pthread_rwlock_t*) = nullptr;
int (*next_write_lock) (pthread_rwlock_t*) = nullptr;

// Before any block: dlsym itself takes locks.
__attribute__ ((constructor)) void find_all()
{
    next (next_mutex_lock, "pthread_mutex_lock");
    next (next_read_lock, "pthread_rwlock_rdlock");
    next (next_write_lock, "pthread_rwlock_wrlock");
}

} // namespace

#define EXPORTED extern "C" __attribute__ ((visibility ("default")))

EXPORTED void bandmate_audio_block_begin (int may_wait)
{
    blocks.fetch_add (1, std::memory_order_relaxed);
    bandmate::guard::watch_this_thread (may_wait != 0);
    in_block = true;
}

EXPORTED void bandmate_audio_block_end()
{
    in_block = false;
    bandmate::guard::leave_this_thread();
}

EXPORTED void bandmate_audio_guard_read (bandmate_audio_guard_counts* counts)
{
    const auto trapped = bandmate::guard::trapped();
    *counts = {blocks.load(), allocations.load(),  locks.load(),      trapped.system_calls,
               trapped.waits, trapped.last_number, last_place.load(), trapped.is_available ? 1u : 0u};
}

EXPORTED void bandmate_audio_guard_reset()
{
    blocks = allocations = locks = last_place = 0;
    bandmate::guard::reset_trapped();
}

// A host that cannot ask writes them down as it ends: BANDMATE_AUDIO_GUARD_REPORT names the file.
__attribute__ ((destructor)) static void report()
{
    const char* path = std::getenv ("BANDMATE_AUDIO_GUARD_REPORT");
    std::FILE* file = path != nullptr ? std::fopen (path, "w") : nullptr;
    if (file == nullptr)
        return;
    bandmate_audio_guard_counts counts;
    bandmate_audio_guard_read (&counts);
    std::fprintf (
        file,
        "{\"blocks\": %llu, \"allocations\": %llu, \"locks\": %llu, \"system_calls\": %llu, "
        "\"watches_system_calls\": %llu}\n",
        static_cast<unsigned long long> (counts.blocks), static_cast<unsigned long long> (counts.allocations),
        static_cast<unsigned long long> (counts.locks), static_cast<unsigned long long> (counts.system_calls),
        static_cast<unsigned long long> (counts.watches_system_calls));
    std::fclose (file);
}

// glibc's allocator under its other names.
extern "C"
{
    void* __libc_malloc (size_t);
    void* __libc_calloc (size_t, size_t);
    void* __libc_realloc (void*, size_t);
    void* __libc_memalign (size_t, size_t);
    void __libc_free (void*);
}

EXPORTED void* malloc (size_t size)
{
    count (allocations, __builtin_return_address (0));
    return __libc_malloc (size);
}

EXPORTED void* calloc (size_t number, size_t size)
{
    count (allocations, __builtin_return_address (0));
    return __libc_calloc (number, size);
}

EXPORTED void* realloc (void* memory, size_t size)
{
    count (allocations, __builtin_return_address (0));
    return __libc_realloc (memory, size);
}

EXPORTED void free (void* memory)
{
    if (memory != nullptr)
        count (allocations, __builtin_return_address (0));
    __libc_free (memory);
}

EXPORTED void* memalign (size_t alignment, size_t size)
{
    count (allocations, __builtin_return_address (0));
    return __libc_memalign (alignment, size);
}

EXPORTED void* aligned_alloc (size_t alignment, size_t size)
{
    count (allocations, __builtin_return_address (0));
    return __libc_memalign (alignment, size);
}

EXPORTED int posix_memalign (void** memory, size_t alignment, size_t size)
{
    count (allocations, __builtin_return_address (0));
    *memory = __libc_memalign (alignment, size);
    return *memory == nullptr ? ENOMEM : 0;
}

EXPORTED int pthread_mutex_lock (pthread_mutex_t* mutex)
{
    count (locks, __builtin_return_address (0));
    return next (next_mutex_lock, "pthread_mutex_lock") (mutex);
}

EXPORTED int pthread_rwlock_rdlock (pthread_rwlock_t* lock)
{
    count (locks, __builtin_return_address (0));
    return next (next_read_lock, "pthread_rwlock_rdlock") (lock);
}

EXPORTED int pthread_rwlock_wrlock (pthread_rwlock_t* lock)
{
    count (locks, __builtin_return_address (0));
    return next (next_write_lock, "pthread_rwlock_wrlock") (lock);
}

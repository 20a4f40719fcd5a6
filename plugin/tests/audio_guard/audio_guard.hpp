// SPDX-License-Identifier: GPL-3.0-or-later
// Counts what must not happen on the audio thread, between the marks that the plugin sets
// (juce/audio_block_hooks.hpp).
//
// In C++ tests: link bandmate_audio_guard. In any other host: LD_PRELOAD=libbandmate_audio_guard.so, and the
// marks of the shipped plugin find it; read the counts through bandmate_audio_guard_read, in Python by
// ctypes.CDLL (None), or name a file in BANDMATE_AUDIO_GUARD_REPORT: the counts are written there, as JSON,
// when the host ends. Only the thread inside a block is watched; the rest of the process is not disturbed.
// Linux on x86-64, kernel 5.11 or newer, for system calls; allocations and locks on any glibc.
#pragma once

#include <stdint.h>

extern "C"
{
    // All fields are counts since the last reset, but for the last three. 64-bit fields only: easy for
    // ctypes.
    struct bandmate_audio_guard_counts
    {
        uint64_t blocks;
        uint64_t
            allocations; // malloc, calloc, realloc, free and their kin; operator new and delete come by here
        uint64_t locks;  // pthread mutexes and read-write locks taken (trying is no crime)
        uint64_t system_calls;     // of any kind, however made
        uint64_t waits;            // sleeps in a block that may wait (offline): not counted as system calls
        uint64_t last_system_call; // its number
        uint64_t last_place;       // an address in the caller of the last allocation or lock
        uint64_t watches_system_calls; // 1 if the kernel lets us
    };

    // Called by the plugin.
    void bandmate_audio_block_begin (int may_wait);
    void bandmate_audio_block_end (void);

    void bandmate_audio_guard_read (struct bandmate_audio_guard_counts* counts);
    void bandmate_audio_guard_reset (void);
}

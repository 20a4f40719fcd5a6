// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace bandmate::guard
{

// Uses Linux' syscall user dispatch: while a byte of this thread says so, each system call raises SIGSYS
// instead, however it is made. The handler counts it, makes it, and goes on. Switching on and off is one
// store.
void watch_this_thread (bool may_wait);
void leave_this_thread();

struct Trapped
{
    uint64_t system_calls = 0;
    uint64_t waits = 0;
    uint64_t last_number = 0;
    bool is_available = false;
};

Trapped trapped();
void reset_trapped();

} // namespace bandmate::guard

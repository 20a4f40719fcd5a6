// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#if defined(__APPLE__)
#include <pthread/qos.h>
#else
#include <sys/resource.h>
#endif

namespace bandmate::link
{

// For the calling thread and those that it starts: before what nobody hears. As far as the system allows it.
inline void go_before_others() noexcept
{
#if defined(__APPLE__)
    (void) pthread_set_qos_class_self_np (QOS_CLASS_USER_INTERACTIVE, 0);
#else
    constexpr int nice_value = -10;                     // as the server's threads
    (void) ::setpriority (PRIO_PROCESS, 0, nice_value); // on Linux 0 is this thread
#endif
}

} // namespace bandmate::link

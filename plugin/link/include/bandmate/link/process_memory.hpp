// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace bandmate::link
{

// Megabytes (10^6 bytes) of memory that a process of this machine holds; 0 if that cannot be known.
double process_memory_mb (int pid);

} // namespace bandmate::link

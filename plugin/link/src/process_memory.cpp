// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/process_memory.hpp>

#if defined(__APPLE__)
#include <libproc.h>
#else
#include <fstream>
#include <string>
#include <unistd.h>
#endif

namespace bandmate::link
{

double process_memory_mb (int pid)
{
#if defined(__APPLE__)
    proc_taskinfo info{};
    if (::proc_pidinfo (pid, PROC_PIDTASKINFO, 0, &info, sizeof info) != static_cast<int> (sizeof info))
        return 0.0;
    return static_cast<double> (info.pti_resident_size) / 1e6;
#else
    std::ifstream file ("/proc/" + std::to_string (pid) + "/statm");
    double all_pages = 0.0, resident_pages = 0.0;
    if (!(file >> all_pages >> resident_pages))
        return 0.0;
    return resident_pages * static_cast<double> (::sysconf (_SC_PAGESIZE)) / 1e6;
#endif
}

} // namespace bandmate::link

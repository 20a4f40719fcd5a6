// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdlib>
#include <cstring>

namespace bandmate::blas
{

// Whether kernels of this set may be chosen. BANDMATE_INSTRUCTION_SET names the highest one allowed, as a
// machine's kernels are named: so that one machine can test them all.
inline bool allowed (const char* instructionSet)
{
    const char* named = std::getenv ("BANDMATE_INSTRUCTION_SET");
    if (named == nullptr || *named == '\0' || std::strcmp (named, "AVX-512") == 0)
        return true;
    return std::strcmp (named, "AVX2") == 0 && std::strcmp (instructionSet, "AVX2") == 0;
}

} // namespace bandmate::blas

// SPDX-License-Identifier: GPL-3.0-or-later
#include "few_rows.hpp"

namespace bandmate::blas
{

KernelChoice chooseKernel()
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports ("avx512f"))
        return {fewRowsAvx512, "AVX-512"};
    if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
        return {fewRowsAvx2, "AVX2"};
    return {fewRowsBaseline, "SSE2"};
#else
    return {fewRowsBaseline, "baseline"};
#endif
}

} // namespace bandmate::blas

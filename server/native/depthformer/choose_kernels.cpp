// SPDX-License-Identifier: GPL-3.0-or-later
#include "../blas/instruction_limit.hpp"
#include "kernels.hpp"

namespace bandmate::depthformer
{

const Kernels& kernels()
{
#if defined(__x86_64__)
    if (blas::allowed ("AVX-512") && __builtin_cpu_supports ("avx512f") &&
        __builtin_cpu_supports ("avx512bw"))
        return avx512Kernels;
    if (blas::allowed ("AVX2") && __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
        return avx2Kernels;
#endif
    return baselineKernels;
}

} // namespace bandmate::depthformer

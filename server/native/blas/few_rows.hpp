// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>

namespace bandmate::blas
{

// Rows of A up to which a product is bound by reading B, not by arithmetic.
inline constexpr int mostRows = 8;

// One product C = alpha * A * op(B) + beta * C with few rows; all matrices row-major.
struct FewRows
{
    int rows;               // of A and C, 1..mostRows
    int depth;              // columns of A
    bool transposed;        // B is [columns, depth] (true) or [depth, columns]
    const float* a;         // [rows, depth]
    std::ptrdiff_t aStride; // floats from one row to the next
    const float* b;
    std::ptrdiff_t bStride;
    float* c; // [rows, columns]
    std::ptrdiff_t cStride;
    float alpha;
    float beta; // 0: C is not read
};

// Computes the columns [first, last) of C. Reads each element of B once.
using FewRowsKernel = void (*) (const FewRows&, int first, int last);

// The same kernel, compiled for different instruction sets.
void fewRowsBaseline (const FewRows&, int first, int last);
#if defined(__x86_64__)
void fewRowsAvx2 (const FewRows&, int first, int last);
void fewRowsAvx512 (const FewRows&, int first, int last);
#endif

struct KernelChoice
{
    FewRowsKernel kernel;
    const char* instructionSet;
};

// The fastest kernel that this processor runs.
KernelChoice chooseKernel();

} // namespace bandmate::blas

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>

namespace bandmate::spectrostream
{

// What a convolution reads for some positions that lie one after another.
struct Patch
{
    const float* in = nullptr; // first input of the first position; the next position is `inputs` on
    int inputs = 0;
    int taps = 0;
    const std::ptrdiff_t* offsets = nullptr; // [taps] floats from a position to its tap's first input
    const float* weights = nullptr;          // [taps, inputs, Kernels::channels]
};

// Audio channels' real and imaginary part: what the last convolution gives.
inline constexpr int parts = 2;

// What the last convolution reads: so few outputs that vectors run along the inputs.
struct Rows
{
    const float* in = nullptr;
    int step = 0; // floats from one position to the next
    int rows = 0;
    std::ptrdiff_t rowStep = 0;
    int length = 0;                 // floats of a row
    const float* weights = nullptr; // [rows, parts, length]
};

// The largest tile of any instruction set, in floats.
inline constexpr int largestTile = 12 * 32;

// The numeric loops, compiled once per instruction set. `n` counts floats.
struct Kernels
{
    const char* instructionSet;
    int positions; // of a tile
    int channels;
    // sums [positions, channels] of up to `positions` positions; those up to a whole tile are read too
    void (*tile) (const Patch&, int positions, float* sums);
    // sums [positions, parts] of up to `positions` positions
    void (*dots) (const Rows&, int positions, float* sums);
    // to = sums + bias (+ added, where not null), then x where positive, else exp (x) - 1, if wanted
    void (*finish) (const float* sums, const float* bias, const float* added, bool elu, float* to, int n);
    // to = x where positive, else exp (x) - 1
    void (*elu) (const float* x, float* to, int n);
};

// The fastest kernels this processor runs.
const Kernels& kernels();

extern const Kernels baselineKernels;
#if defined(__x86_64__)
extern const Kernels avx2Kernels;
extern const Kernels avx512Kernels;
#endif

} // namespace bandmate::spectrostream

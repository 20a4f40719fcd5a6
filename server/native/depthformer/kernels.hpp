// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

namespace bandmate::depthformer
{

enum class Form
{
    float32,
    bfloat16,
    quantised // unsigned bytes; a value is scale * byte + bias, one of each per group of inputs
};

// A matrix [outputs, inputs], row-major.
struct Matrix
{
    const void* data = nullptr;
    int outputs = 0;
    int inputs = 0;
    Form form = Form::float32;
    // Of the quantised form only.
    int groups = 0;                // of each row, all equally long
    const float* scales = nullptr; // [outputs, groups]
    const float* biases = nullptr;
};

// Inputs of a group are a multiple of this: the longest vector of any instruction set.
inline constexpr int groupMultiple = 16;

// y[row, o] = sum over i of x[row, i] * matrix[o, i], for the outputs [first, last).
// x has `rows` rows of `inputs` floats one after another, y rows of `outputs`.
using ProductKernel = void (*) (const Matrix&, const float* x, int rows, float* y, int first, int last);

// The numeric loops, compiled once per instruction set. `n` counts floats.
struct Kernels
{
    const char* instructionSet;
    ProductKernel product;
    // x = gelu (x + bias), tanh approximation
    void (*biasGelu) (float* x, const float* bias, int n);
    // x = cap * tanh ((x + bias) / cap)
    void (*biasCap) (float* x, const float* bias, float cap, int n);
    // x becomes non-negative with sum 1
    void (*softmax) (float* x, int n);
    // y = x / sqrt (mean (x^2) + epsilon) * scale; y may be x
    void (*rmsNorm) (const float* x, const float* scale, float epsilon, float* y, int n);
    // y[d] = sum over p of weights[p] * values[p, d], for positions [0, count)
    void (*weightedSum) (const float* weights, const float* values, int count, int n, float* y);
};

// The fastest kernels this processor runs.
const Kernels& kernels();

extern const Kernels baselineKernels;
#if defined(__x86_64__)
extern const Kernels avx2Kernels;
extern const Kernels avx512Kernels;
#endif

} // namespace bandmate::depthformer

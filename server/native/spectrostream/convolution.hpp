// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "../blas/worker_pool.hpp"
#include "kernels.hpp"

#include <cstddef>
#include <vector>

namespace bandmate::spectrostream
{

// Frames of positions of channels: what a convolution reads, with the past before it, zeros around the
// frequencies, and room for a tile that reads beyond the end. One image for each item of the batch.
class Images
{
public:
    // The same memory for any number of items up to the most that there were.
    void shape (int items, int past, int frames, int bins, int left, int right, int channels, int slack);

    float* item (int index) { return memory.data() + static_cast<std::ptrdiff_t> (index) * itemSize; }
    float* at (int index, int row, int bin)
    {
        return item (index) + (static_cast<std::ptrdiff_t> (row) * width + left + bin) * channels;
    }

    // Between the rows of the past and an array [items, past, bins, channels].
    void loadPast (const float* from);
    void storePast (float* to);

    int items = 0, past = 0, frames = 0, bins = 0, left = 0, width = 0, channels = 0;
    std::ptrdiff_t itemSize = 0;

private:
    std::vector<float> memory;
};

// Where the results go, and what becomes of them on the way.
struct Output
{
    float* to = nullptr; // of the first item, frame and position
    std::ptrdiff_t itemStep = 0, frameStep = 0, binStep = 0;
    bool elu = false;
    // Added before, or null: [items, frames / addedFrames, bins / addedBins, outputs]
    const float* added = nullptr;
    int addedFrames = 1, addedBins = 1;
};

// A convolution with a stride of one in both directions. With more than one phase it is a transposed one:
// each phase gives every strideTime-th frame and strideBins-th position.
struct Shape
{
    int kernelTime = 1, kernelBins = 1;
    int inputs = 0, outputs = 0;
    int strideTime = 1, strideBins = 1;
    int left = 0, right = 0; // zeros around the frequencies
    int cut = 0;             // positions of the result that are left out at the start
};

class Convolution
{
public:
    // kernel [phases, kernelTime, kernelBins, inputs, outputs], bias [outputs]; both are copied.
    Convolution (const Kernels& kernels, const Shape& shape, const float* kernel, const float* bias);

    // `in` is shaped for this convolution; its frames are computed.
    void run (blas::WorkerPool& pool, Images& in, const Output& out) const;

    const Shape shape;

private:
    struct Job;
    static void runPart (const void* context, int part);

    int blocks() const { return (shape.outputs + kernel.channels - 1) / kernel.channels; }

    const Kernels& kernel;
    std::vector<float> weights; // [phases, blocks, taps, inputs, Kernels::channels]
    std::vector<float> biases;  // [blocks * Kernels::channels]
};

// The last convolution: `parts` outputs of one kernel [kernelTime, kernelBins, inputs, parts].
class LastConvolution
{
public:
    LastConvolution (const Kernels& kernels, const Shape& shape, const float* kernel, const float* bias);

    // To [items / sides, frames, bins, sides, parts].
    void run (blas::WorkerPool& pool, Images& in, int sides, float* to) const;

    const Shape shape;

private:
    struct Job;
    static void runPart (const void* context, int part);

    const Kernels& kernel;
    std::vector<float> weights; // [kernelTime, parts, kernelBins * inputs]
    float biases[parts];
};

} // namespace bandmate::spectrostream

// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "../blas/worker_pool.hpp"
#include "convolution.hpp"

#include <memory>
#include <vector>

namespace bandmate::spectrostream
{

// Two convolutions beside a shortcut, as the blocks of the decoder have them.
struct Block
{
    std::unique_ptr<Convolution> first, second;
    std::unique_ptr<Convolution> shortcut; // null: what came in is added as it is
    Images firstIn, secondIn;
};

// The decoder's sizes that no kernel tells.
struct Sizes
{
    int sides = 0; // audio channels: they share all but the first two blocks
    int bins = 0;  // frequency positions at the start
};

// One frame of SpectroStream's decoder, from its vector to a spectrogram. Keeps scratch memory only.
class Decoder
{
public:
    Decoder (const Sizes& sizes, int threads);

    // One item's part of an array of the state: past frames, positions, channels. In order: both of the
    // residual block, both of each block, the last convolution's.
    struct Past
    {
        int sides = 0; // items of a session
        int frames = 0, bins = 0, channels = 0;
    };
    std::vector<Past> pasts() const;

    // embedding [sessions, inputs]; before, after: arrays of `pasts`, a session's sides side by side;
    // spectrogram [sessions, frames, bins, sides, parts].
    void run (const float* embedding, int sessions, const std::vector<const float*>& before,
              const std::vector<float*>& after, float* spectrogram);

    int inputs() const { return input->shape.inputs; }
    int framesOut() const;
    int binsOut() const;

    const Kernels& kernel;
    const Sizes sizes;
    std::unique_ptr<Convolution> input, inputFirst, inputSecond;
    Block residual;
    std::vector<Block> up;
    std::unique_ptr<LastConvolution> last;

private:
    void runInput (const float* embedding, int sessions);
    // From `x` to `x`.
    void runBlock (Block& block, const float* const* before, float* const* after);
    void split (int sessions);
    // The image that a convolution reads, with the past and what `x` is after its ELU.
    void fill (Images& image, const Shape& shape, const float* before);
    void shapeFor (Images& image, const Shape& shape, int items, int frames, int bins) const;

    blas::WorkerPool pool;
    Images vectors, hidden, x, y, shortcut, lastIn;
};

} // namespace bandmate::spectrostream

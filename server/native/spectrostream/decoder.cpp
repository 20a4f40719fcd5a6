// SPDX-License-Identifier: GPL-3.0-or-later
#include "decoder.hpp"

#include <algorithm>
#include <utility>

namespace bandmate::spectrostream
{
namespace
{

Output into (Images& images, bool elu)
{
    Output out;
    out.to = images.at (0, images.past, 0);
    out.itemStep = images.itemSize;
    out.frameStep = static_cast<std::ptrdiff_t> (images.width) * images.channels;
    out.binStep = images.channels;
    out.elu = elu;
    return out;
}

struct Filling
{
    const Kernels& kernel;
    Images& from;
    Images& to;
};

void fillRow (const void* context, int part)
{
    const auto& job = *static_cast<const Filling*> (context);
    const int item = part / job.from.frames, frame = part % job.from.frames;
    job.kernel.elu (job.from.at (item, frame, 0), job.to.at (item, job.to.past + frame, 0),
                    job.from.bins * job.from.channels);
}

} // namespace

Decoder::Decoder (const Sizes& s, int threads) : kernel (kernels()), sizes (s), pool (threads) {}

int Decoder::framesOut() const
{
    int frames = 1;
    for (const auto& block : up)
        frames *= block.first->shape.strideTime;
    return frames;
}

int Decoder::binsOut() const
{
    int bins = sizes.bins;
    for (const auto& block : up)
        bins *= block.first->shape.strideBins;
    return bins;
}

std::vector<Decoder::Past> Decoder::pasts() const
{
    std::vector<Past> out;
    int sides = 1, bins = sizes.bins;
    const auto add = [&] (const Shape& shape)
    {
        out.push_back ({sides, shape.kernelTime - 1, bins, shape.inputs});
    };
    add (residual.first->shape);
    add (residual.second->shape);
    for (const auto& block : up)
    {
        add (block.first->shape);
        bins *= block.first->shape.strideBins;
        add (block.second->shape);
        sides = sizes.sides;
    }
    add (last->shape);
    return out;
}

void Decoder::shapeFor (Images& image, const Shape& shape, int items, int frames, int bins) const
{
    image.shape (items, shape.kernelTime - 1, frames, bins, shape.left, shape.right, shape.inputs,
                 kernel.positions);
}

void Decoder::fill (Images& image, const Shape& shape, const float* before)
{
    shapeFor (image, shape, x.items, x.frames, x.bins);
    image.loadPast (before);
    const Filling job{kernel, x, image};
    pool.run (fillRow, &job, x.items * x.frames);
}

void Decoder::runInput (const float* embedding, int sessions)
{
    // Sessions are positions here: each weight is read once for all.
    shapeFor (vectors, input->shape, 1, 1, sessions);
    std::copy_n (embedding, sessions * vectors.channels, vectors.at (0, 0, 0));
    const int flat = input->shape.outputs;
    x.shape (sessions, 0, 1, sizes.bins, 0, 0, flat / sizes.bins, kernel.positions);
    Output out;
    out.to = x.at (0, 0, 0);
    out.binStep = flat;
    input->run (pool, vectors, out);
    shapeFor (hidden, inputSecond->shape, 1, 1, sessions);
    inputFirst->run (pool, vectors, into (hidden, true));
    out.added = x.at (0, 0, 0);
    inputSecond->run (pool, hidden, out);
}

void Decoder::runBlock (Block& block, const float* const* before, float* const* after)
{
    const auto& first = block.first->shape;
    const auto& second = block.second->shape;
    fill (block.firstIn, first, before[0]);
    shapeFor (block.secondIn, second, x.items, x.frames * first.strideTime, x.bins * first.strideBins);
    block.secondIn.loadPast (before[1]);
    block.first->run (pool, block.firstIn, into (block.secondIn, true));
    auto& added = block.shortcut ? shortcut : x;
    if (block.shortcut)
    {
        shortcut.shape (x.items, 0, x.frames, x.bins, 0, 0, second.outputs, 0);
        block.shortcut->run (pool, x, into (shortcut, false));
    }
    y.shape (x.items, 0, block.secondIn.frames, block.secondIn.bins, 0, 0, second.outputs, kernel.positions);
    auto out = into (y, false);
    out.added = added.at (0, 0, 0);
    out.addedFrames = first.strideTime;
    out.addedBins = first.strideBins;
    block.second->run (pool, block.secondIn, out);
    block.firstIn.storePast (after[0]);
    block.secondIn.storePast (after[1]);
    std::swap (x, y);
}

void Decoder::split (int sessions)
{
    const int own = x.channels / sizes.sides;
    y.shape (sessions * sizes.sides, 0, x.frames, x.bins, 0, 0, own, kernel.positions);
    for (int item = 0; item < y.items; ++item)
        for (int frame = 0; frame < x.frames; ++frame)
            for (int bin = 0; bin < x.bins; ++bin)
                std::copy_n (x.at (item / sizes.sides, frame, bin) + item % sizes.sides * own, own,
                             y.at (item, frame, bin));
    std::swap (x, y);
}

void Decoder::run (const float* embedding, int sessions, const std::vector<const float*>& before,
                   const std::vector<float*>& after, float* spectrogram)
{
    runInput (embedding, sessions);
    runBlock (residual, &before[0], &after[0]);
    for (std::size_t i = 0; i < up.size(); ++i)
    {
        runBlock (up[i], &before[2 * i + 2], &after[2 * i + 2]);
        if (i == 0)
            split (sessions);
    }
    fill (lastIn, last->shape, before.back());
    last->run (pool, lastIn, sizes.sides, spectrogram);
    lastIn.storePast (after.back());
}

} // namespace bandmate::spectrostream

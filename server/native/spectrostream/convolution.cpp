// SPDX-License-Identifier: GPL-3.0-or-later
#include "convolution.hpp"

#include <algorithm>

namespace bandmate::spectrostream
{
namespace
{

constexpr int partsPerThread = 6;
// Multiplications worth sharing among threads.
constexpr std::int64_t shareFrom = 1 << 17;

} // namespace

void Images::shape (int newItems, int newPast, int newFrames, int newBins, int newLeft, int right,
                    int newChannels, int slack)
{
    items = newItems;
    past = newPast;
    frames = newFrames;
    bins = newBins;
    left = newLeft;
    width = newLeft + newBins + right;
    channels = newChannels;
    itemSize = static_cast<std::ptrdiff_t> (past + frames) * width * channels;
    const auto wanted = static_cast<std::size_t> (itemSize) * static_cast<std::size_t> (items) +
                        static_cast<std::size_t> (slack) * static_cast<std::size_t> (channels);
    // The zeros around the frequencies are written here and nowhere else: sizes change with `items` only.
    if (memory.size() < wanted)
        memory.assign (wanted, 0.0f);
}

void Images::loadPast (const float* from)
{
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t> (bins) * channels;
    for (int index = 0; index < items; ++index)
        for (int r = 0; r < past; ++r, from += row)
            std::copy_n (from, row, at (index, r, 0));
}

void Images::storePast (float* to)
{
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t> (bins) * channels;
    for (int index = 0; index < items; ++index)
        for (int r = 0; r < past; ++r, to += row)
            std::copy_n (at (index, frames + r, 0), row, to);
}

Convolution::Convolution (const Kernels& k, const Shape& s, const float* values, const float* bias)
    : shape (s), kernel (k)
{
    const int taps = s.kernelTime * s.kernelBins;
    const int phases = s.strideTime * s.strideBins;
    const int wide = kernel.channels;
    biases.assign (static_cast<std::size_t> (blocks() * wide), 0.0f);
    std::copy_n (bias, s.outputs, biases.begin());
    const auto perPhase = static_cast<std::size_t> (taps) * static_cast<std::size_t> (s.inputs);
    weights.assign (static_cast<std::size_t> (phases * blocks() * wide) * perPhase, 0.0f);
    float* to = weights.data();
    for (int phase = 0; phase < phases; ++phase)
        for (int block = 0; block < blocks(); ++block)
            for (std::size_t i = 0; i < perPhase; ++i, to += wide)
            {
                const auto row = static_cast<std::size_t> (phase) * perPhase + i;
                const float* from = values + row * static_cast<std::size_t> (s.outputs) + block * wide;
                std::copy_n (from, std::min (wide, s.outputs - block * wide), to);
            }
}

struct Convolution::Job
{
    const Convolution& self;
    Images& in;
    const Output& out;
    const std::ptrdiff_t* offsets;
    int tilesPerItem;
    int tilesPerPart;
};

void Convolution::run (blas::WorkerPool& pool, Images& in, const Output& out) const
{
    std::vector<std::ptrdiff_t> offsets;
    for (int i = 0; i < shape.kernelTime; ++i)
        for (int j = 0; j < shape.kernelBins; ++j)
            offsets.push_back ((static_cast<std::ptrdiff_t> (i) * in.width + j) * shape.inputs);
    const int positions = (in.frames - 1) * in.width + in.width - shape.kernelBins + 1;
    const int tilesPerItem = (positions + kernel.positions - 1) / kernel.positions;
    const int tiles = tilesPerItem * in.items;
    const int columns = shape.strideTime * shape.strideBins * blocks();
    const auto work = static_cast<std::int64_t> (positions) * in.items * columns * kernel.channels *
                      shape.inputs * static_cast<std::int64_t> (offsets.size());
    const int wanted = work < shareFrom ? 1 : pool.threads() * partsPerThread;
    const int chunks = std::clamp ((wanted + columns - 1) / columns, 1, tiles);
    const int perPart = (tiles + chunks - 1) / chunks;
    const Job job{*this, in, out, offsets.data(), tilesPerItem, perPart};
    const int count = columns * ((tiles + perPart - 1) / perPart);
    if (work < shareFrom)
        for (int part = 0; part < count; ++part)
            runPart (&job, part);
    else
        pool.run (runPart, &job, count);
}

void Convolution::runPart (const void* context, int part)
{
    const auto& job = *static_cast<const Job*> (context);
    const auto& self = job.self;
    const auto& shape = self.shape;
    const auto& kernel = self.kernel;
    auto& in = job.in;
    const auto& out = job.out;
    const int columns = shape.strideTime * shape.strideBins * self.blocks();
    const int column = part % columns;
    const int phase = column / self.blocks();
    const int channel = column % self.blocks() * kernel.channels;
    const int channels = std::min (kernel.channels, shape.outputs - channel);
    const int taps = shape.kernelTime * shape.kernelBins;
    const auto weightsOfColumn = static_cast<std::ptrdiff_t> (taps) * shape.inputs * kernel.channels;
    const int positions = (in.frames - 1) * in.width + in.width - shape.kernelBins + 1;
    const int bins = in.bins * shape.strideBins;
    const int addedBins = bins / out.addedBins;
    const int addedFrames = in.frames * shape.strideTime / out.addedFrames;

    Patch patch{nullptr, shape.inputs, taps, job.offsets, self.weights.data() + column * weightsOfColumn};
    alignas (64) float sums[largestTile];
    const int firstTile = part / columns * job.tilesPerPart;
    const int lastTile = std::min (firstTile + job.tilesPerPart, job.tilesPerItem * in.items);
    for (int tile = firstTile; tile < lastTile; ++tile)
    {
        const int item = tile / job.tilesPerItem;
        const int first = tile % job.tilesPerItem * kernel.positions;
        const int count = std::min (kernel.positions, positions - first);
        patch.in = in.item (item) + static_cast<std::ptrdiff_t> (first) * shape.inputs;
        kernel.tile (patch, count, sums);
        for (int i = 0; i < count; ++i)
        {
            const int bin = (first + i) % in.width * shape.strideBins + phase % shape.strideBins - shape.cut;
            // Positions between one row and the next belong to neither.
            if ((first + i) % in.width > in.width - shape.kernelBins || bin < 0 || bin >= bins)
                continue;
            const int frame = (first + i) / in.width * shape.strideTime + phase / shape.strideBins;
            const float* added = nullptr;
            if (out.added != nullptr)
            {
                const std::ptrdiff_t row =
                    static_cast<std::ptrdiff_t> (item) * addedFrames + frame / out.addedFrames;
                added = out.added + (row * addedBins + bin / out.addedBins) * shape.outputs + channel;
            }
            kernel.finish (sums + i * kernel.channels, self.biases.data() + channel, added, out.elu,
                           out.to + item * out.itemStep + frame * out.frameStep + bin * out.binStep + channel,
                           channels);
        }
    }
}

LastConvolution::LastConvolution (const Kernels& k, const Shape& s, const float* values, const float* bias)
    : shape (s), kernel (k)
{
    std::copy_n (bias, parts, biases);
    const int length = s.kernelBins * s.inputs;
    weights.resize (static_cast<std::size_t> (s.kernelTime * parts * length));
    for (int row = 0; row < s.kernelTime; ++row)
        for (int o = 0; o < parts; ++o)
            for (int i = 0; i < length; ++i)
                weights[static_cast<std::size_t> ((row * parts + o) * length + i)] =
                    values[(row * length + i) * parts + o];
}

struct LastConvolution::Job
{
    const LastConvolution& self;
    Images& in;
    int sides;
    float* to;
};

void LastConvolution::run (blas::WorkerPool& pool, Images& in, int sides, float* to) const
{
    const Job job{*this, in, sides, to};
    pool.run (runPart, &job, in.items * in.frames);
}

void LastConvolution::runPart (const void* context, int part)
{
    const auto& job = *static_cast<const Job*> (context);
    const auto& shape = job.self.shape;
    auto& in = job.in;
    const int item = part / in.frames, frame = part % in.frames;
    Rows rows;
    rows.step = shape.inputs;
    rows.rows = shape.kernelTime;
    rows.rowStep = static_cast<std::ptrdiff_t> (in.width) * shape.inputs;
    rows.length = shape.kernelBins * shape.inputs;
    rows.weights = job.self.weights.data();
    constexpr int atOnce = 48;
    float sums[atOnce * parts];
    const int session = item / job.sides, side = item % job.sides;
    float* to =
        job.to + (static_cast<std::ptrdiff_t> (session) * in.frames + frame) * in.bins * job.sides * parts;
    for (int bin = 0; bin < in.bins; bin += atOnce)
    {
        const int count = std::min (atOnce, in.bins - bin);
        rows.in = in.item (item) + (static_cast<std::ptrdiff_t> (frame) * in.width + bin) * shape.inputs;
        job.self.kernel.dots (rows, count, sums);
        for (int i = 0; i < count; ++i)
            for (int o = 0; o < parts; ++o)
                to[((bin + i) * job.sides + side) * parts + o] = sums[i * parts + o] + job.self.biases[o];
    }
}

} // namespace bandmate::spectrostream

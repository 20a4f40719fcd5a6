// SPDX-License-Identifier: GPL-3.0-or-later
#include "depthformer.hpp"

#include "sampling.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace bandmate::depthformer
{
namespace
{

// Weights of one product worth sharing among threads: a few microseconds of one core.
constexpr std::int64_t shareFrom = 48 * 1024;
constexpr int partsPerThread = 3;
constexpr int outputsPerStep = 16;
constexpr float leastLikely = 1e-30f; // its logarithm is finite

struct SharedProduct
{
    const Kernels& kernel;
    const Matrix& matrix;
    const float* x;
    int rows;
    float* y;
    int outputsPerPart;
};

void productPart (const void* context, int part)
{
    const auto& shared = *static_cast<const SharedProduct*> (context);
    const int first = part * shared.outputsPerPart;
    const int last = std::min (shared.matrix.outputs, first + shared.outputsPerPart);
    shared.kernel.product (shared.matrix, shared.x, shared.rows, shared.y, first, last);
}

// sum += factor * row
void addRow (const Matrix& table, std::ptrdiff_t row, float factor, float* sum)
{
    const std::ptrdiff_t start = row * table.inputs;
    switch (table.form)
    {
    case Form::float32:
    {
        const auto* values = static_cast<const float*> (table.data) + start;
        for (int i = 0; i < table.inputs; ++i)
            sum[i] += factor * values[i];
        return;
    }
    case Form::bfloat16:
    {
        const auto* halves = static_cast<const std::uint16_t*> (table.data) + start;
        for (int i = 0; i < table.inputs; ++i)
        {
            const std::uint32_t word = static_cast<std::uint32_t> (halves[i]) << 16;
            float value;
            std::memcpy (&value, &word, sizeof value);
            sum[i] += factor * value;
        }
        return;
    }
    case Form::quantised:
    {
        const auto* bytes = static_cast<const std::uint8_t*> (table.data) + start;
        const int group = table.inputs / table.groups;
        for (int g = 0; g < table.groups; ++g)
        {
            const float scale = factor * table.scales[row * table.groups + g];
            const float bias = factor * table.biases[row * table.groups + g];
            for (int i = g * group; i < (g + 1) * group; ++i)
                sum[i] += scale * static_cast<float> (bytes[i]) + bias;
        }
        return;
    }
    }
}

void layerNorm (const float* x, const float* scale, const float* bias, float epsilon, float* y, int n)
{
    double mean = 0;
    for (int i = 0; i < n; ++i)
        mean += x[i];
    mean /= n;
    double variance = 0;
    for (int i = 0; i < n; ++i)
        variance += (x[i] - mean) * (x[i] - mean);
    const auto factor = static_cast<float> (1.0 / std::sqrt (variance / n + epsilon));
    for (int i = 0; i < n; ++i)
        y[i] = (x[i] - static_cast<float> (mean)) * factor * scale[i] + bias[i];
}

float* grown (std::vector<float>& memory, std::int64_t size)
{
    if (memory.size() < static_cast<std::size_t> (size))
        memory.resize (static_cast<std::size_t> (size));
    return memory.data();
}

} // namespace

Pass::Pass (const Model& model, blas::WorkerPool* workers)
    : weights (model), kernel (kernels()), pool (workers)
{
}

void Pass::multiply (const Matrix& matrix, const float* from, int rows, float* to)
{
    const auto size = static_cast<std::int64_t> (matrix.inputs) * matrix.outputs;
    if (size < shareFrom || pool == nullptr || pool->threads() == 1)
        return kernel.product (matrix, from, rows, to, 0, matrix.outputs);
    const int parts = pool->threads() * partsPerThread;
    const int steps = (matrix.outputs + outputsPerStep - 1) / outputsPerStep;
    const int perPart = ((steps + parts - 1) / parts) * outputsPerStep;
    const SharedProduct shared{kernel, matrix, from, rows, to, perPart};
    pool->run (productPart, &shared, (matrix.outputs + perPart - 1) / perPart);
}

void Pass::encode (const Frame& frame)
{
    const int rows = frame.sessions * frame.rows;
    const auto& m = weights;
    const int styleWidth = m.styleTable.inputs;
    float* style = grown (projected, static_cast<std::int64_t> (rows) * styleWidth);
    float* out = grown (encoded, static_cast<std::int64_t> (rows) * m.encoderWidth);
    std::fill_n (style, rows * styleWidth, 0.0f);
    for (int row = 0; row < rows; ++row)
        for (int c = 0; c < m.styleLevels; ++c)
            addRow (m.styleTable, frame.tokens[row * m.channels + c] + m.rowOffsets[c], 1.0f,
                    style + row * styleWidth);
    multiply (m.styleAdapter, style, rows, out);

    const int regular = m.channels - m.styleLevels;
    float* mean = grown (branch, m.encoderWidth);
    for (int row = 0; row < rows; ++row)
    {
        std::fill_n (mean, m.encoderWidth, 0.0f);
        for (int c = m.styleLevels; c < m.channels; ++c)
            addRow (m.regularTable, frame.tokens[row * m.channels + c] + m.rowOffsets[c], 1.0f, mean);
        float* vector = out + row * m.encoderWidth;
        for (int i = 0; i < m.encoderWidth; ++i)
            vector[i] = (vector[i] + mean[i] / static_cast<float> (regular)) / 2;
        layerNorm (vector, m.encoderScale, m.encoderBias, m.epsilon, vector, m.encoderWidth);
    }
}

void Pass::embed (const std::int32_t* ids, int count, float* sum)
{
    const int width = weights.temporal.width;
    const float factor = std::sqrt (static_cast<float> (width)) / static_cast<float> (count);
    std::fill_n (sum, width, 0.0f);
    for (int i = 0; i < count; ++i)
        addRow (weights.codeTable, ids[i], factor, sum);
}

void Pass::runTemporal (const Frame& frame)
{
    const int rows = frame.sessions * frame.rows;
    const auto& stack = weights.temporal;
    float* vectors = grown (x, static_cast<std::int64_t> (rows) * stack.width);
    for (int row = 0; row < rows; ++row)
        embed (frame.previous + row * weights.codebooks, weights.codebooks, vectors + row * stack.width);
    for (std::size_t i = 0; i < stack.layers.size(); ++i)
    {
        const auto& layer = stack.layers[i];
        selfAttention (stack, layer.self, rows, frame.self[i], weights.window, frame.frames);
        crossAttention (stack, layer.cross, rows, frame.cross[i], weights.crossWindow, frame.frames);
        feedForward (stack, layer.feedForward, rows);
    }
    if (frame.temporalOut != nullptr)
        std::copy_n (vectors, rows * stack.width, frame.temporalOut);
}

void Pass::addNormed (const Stack& stack, const float* post, int rows)
{
    for (int row = 0; row < rows; ++row)
    {
        float* part = branch.data() + row * stack.width;
        kernel.rmsNorm (part, post, weights.epsilon, part, stack.width);
        float* sum = x.data() + row * stack.width;
        for (int i = 0; i < stack.width; ++i)
            sum[i] += part[i];
    }
}

void Pass::feedForward (const Stack& stack, const FeedForward& part, int rows)
{
    const int inner = part.first.outputs;
    float* in = grown (normed, static_cast<std::int64_t> (rows) * stack.width);
    float* middle = grown (projected, static_cast<std::int64_t> (rows) * inner);
    float* out = grown (branch, static_cast<std::int64_t> (rows) * stack.width);
    for (int row = 0; row < rows; ++row)
        kernel.rmsNorm (x.data() + row * stack.width, part.pre, weights.epsilon, in + row * stack.width,
                        stack.width);
    multiply (part.first, in, rows, middle);
    for (int row = 0; row < rows; ++row)
        kernel.biasGelu (middle + row * inner, part.firstBias, inner);
    multiply (part.second, middle, rows, out);
    for (int row = 0; row < rows; ++row)
        for (int i = 0; i < stack.width; ++i)
            out[row * stack.width + i] += part.secondBias[i];
    addNormed (stack, part.post, rows);
}

// What each depth step is told of the frame before, [rows, codebooks, depth width]; null when nothing.
const float* Pass::projectPast (const Frame& frame, int rows)
{
    const auto& m = weights;
    if (m.depthPastAdapter.data == nullptr)
        return nullptr;
    const int count = rows * m.codebooks;
    // A past that is not told is the same id everywhere.
    const bool same = std::all_of (frame.previous, frame.previous + count,
                                   [&] (std::int32_t id) { return id == frame.previous[0]; });
    const int different = same ? 1 : count;
    float* codes = grown (projected, static_cast<std::int64_t> (different) * m.temporal.width);
    for (int i = 0; i < different; ++i)
        embed (frame.previous + i, 1, codes + i * m.temporal.width);
    float* out = grown (pastCodes, static_cast<std::int64_t> (count) * m.depth.width);
    multiply (m.depthPastAdapter, codes, different, out);
    for (int i = different; i < count; ++i)
        std::copy_n (out, m.depth.width, out + i * m.depth.width);
    return out;
}

// Makes one row of logits, the first, of a session's rows.
void Pass::join (float* own, const Frame& frame, int session)
{
    const int size = weights.codebookSize;
    if (frame.shares != nullptr)
    {
        // The logarithm of the weighted mean of their probabilities.
        const float* shares = frame.shares + session * frame.rows;
        for (int row = 0; row < frame.rows; ++row)
            kernel.softmax (own + row * size, size);
        for (int i = 0; i < size; ++i)
        {
            float likely = 0;
            for (int row = 0; row < frame.rows; ++row)
                likely += shares[row] * own[row * size + i];
            own[i] = std::log (std::max (likely, leastLikely));
        }
    }
    else if (frame.rows == 3)
    {
        const float* scale = frame.scales + session * 2;
        for (int i = 0; i < size; ++i)
            own[i] += scale[0] * (own[i] - own[size + i]) + scale[1] * (own[i] - own[2 * size + i]);
    }
}

int Pass::pick (const float* own, const float* noise, const Frame& frame, int session, int step)
{
    const auto& m = weights;
    auto& memory = scratch[static_cast<std::size_t> (session)];
    const float temperature = frame.temperature[session];
    const int topK = frame.topK[session];
    if (m.codeValues == nullptr)
        return pickCode (own, noise, temperature, topK, m.codebookSize, memory);
    const auto before = static_cast<std::ptrdiff_t> (step) * m.codebookSize * m.valueDims;
    const CodeValues values{m.codeValues + before, m.valueDims,
                            m.codeLevels + static_cast<std::ptrdiff_t> (step) * m.codebookSize};
    int last = frame.last[session * frame.rows * m.codebooks + step] - m.reserved - step * m.codebookSize;
    if (last >= m.codebookSize)
        last = -1; // another codebook's: nothing of the model's own making
    return pickNearMean (own, noise, temperature, topK, m.codebookSize, values, last, frame.hold[session],
                         frame.rise[session], memory);
}

void Pass::runDepth (const Frame& frame, const float* temporalOut)
{
    const int rows = frame.sessions * frame.rows;
    const auto& m = weights;
    const auto& stack = m.depth;
    const int size = m.codebookSize;
    const auto cacheSize = static_cast<std::int64_t> (rows) * stack.heads * m.codebooks * stack.headDim;
    const auto caches = cacheSize * static_cast<std::int64_t> (stack.layers.size());
    grown (depthKeys, caches);
    grown (depthValues, caches);
    float* input = grown (hidden, static_cast<std::int64_t> (rows) * m.temporal.width);
    std::copy_n (temporalOut, rows * m.temporal.width, input);
    grown (x, static_cast<std::int64_t> (rows) * stack.width);
    if (scratch.size() < static_cast<std::size_t> (frame.sessions))
        scratch.resize (static_cast<std::size_t> (frame.sessions));
    float* out = grown (logits, static_cast<std::int64_t> (rows) * size);
    const float* past = projectPast (frame, rows);

    for (int step = 0; step < m.codebooks; ++step)
    {
        if (m.depthAdapter.data != nullptr)
            multiply (m.depthAdapter, input, rows, x.data());
        else
            std::copy_n (input, rows * stack.width, x.data());
        if (past != nullptr)
            for (int row = 0; row < rows; ++row)
                for (int i = 0; i < stack.width; ++i)
                    x[static_cast<std::size_t> (row * stack.width + i)] +=
                        past[(row * m.codebooks + step) * stack.width + i];
        for (std::size_t i = 0; i < stack.layers.size(); ++i)
        {
            depthAttention (stack, stack.layers[i].self, rows, static_cast<int> (i), step);
            feedForward (stack, stack.layers[i].feedForward, rows);
        }
        float* features = grown (normed, static_cast<std::int64_t> (rows) * stack.width);
        for (int row = 0; row < rows; ++row)
            layerNorm (x.data() + row * stack.width, m.depthScale, m.depthBias, m.epsilon,
                       features + row * stack.width, stack.width);
        const auto index = static_cast<std::size_t> (step);
        multiply (m.heads[index], features, rows, out);
        for (int row = 0; row < rows; ++row)
            kernel.biasCap (out + row * size, m.headBiases[index], m.softCap, size);
        if (frame.logits != nullptr)
            std::copy_n (out, rows * size, frame.logits + static_cast<std::ptrdiff_t> (step) * rows * size);

        const auto choose = [&] (int session)
        {
            float* own = out + session * frame.rows * size;
            join (own, frame, session);
            const float* noise =
                frame.noise + (static_cast<std::ptrdiff_t> (session) * m.codebooks + step) * size;
            const int code = pick (own, noise, frame, session, step);
            frame.codes[session * m.codebooks + step] = code;
            const std::int32_t id = m.reserved + step * size + code;
            for (int r = 0; r < frame.rows; ++r)
            {
                const int row = session * frame.rows + r;
                frame.next[row * m.codebooks + step] = id;
                embed (&id, 1, input + row * m.temporal.width);
            }
        };
        forEach (frame.sessions, choose);
    }
}

} // namespace bandmate::depthformer

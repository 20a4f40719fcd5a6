// SPDX-License-Identifier: GPL-3.0-or-later
#include "depthformer.hpp"

#include <algorithm>
#include <cstring>

namespace bandmate::depthformer
{
namespace
{

float* grown (std::vector<float>& memory, std::int64_t size)
{
    if (memory.size() < static_cast<std::size_t> (size))
        memory.resize (static_cast<std::size_t> (size));
    return memory.data();
}

// A sink-first cache of one head without its oldest position and with `added` at the end.
void push (const float* before, const float* added, int window, int dim, float* after)
{
    std::copy_n (before, dim, after);
    std::copy_n (before + 2 * dim, (window - 1) * dim, after + dim);
    std::copy_n (added, dim, after + window * dim);
}

// One head's context: softmax over the sink and the newest `count` of `window` positions.
void attendWithSink (const Kernels& kernel, const float* query, const float* keys, const float* values,
                     int window, int count, int dim, float* scores, float* context)
{
    const int first = 1 + window - count;
    kernel.product ({keys, 1, dim}, query, 1, scores, 0, 1);
    kernel.product ({keys + first * dim, count, dim}, query, 1, scores + 1, 0, count);
    kernel.softmax (scores, 1 + count);
    kernel.weightedSum (scores + 1, values + first * dim, count, dim, context);
    for (int i = 0; i < dim; ++i)
        context[i] += scores[0] * values[i];
}

// queries [rows, heads, d], a row `stride` floats after the last, times the factor [d] of the queries.
void scaleQueries (const Stack& stack, const Attention& attention, float* queries, int rows, int stride)
{
    if (attention.scale == nullptr)
        return;
    for (int row = 0; row < rows; ++row)
        for (int head = 0; head < stack.heads; ++head)
            for (int i = 0; i < stack.headDim; ++i)
                queries[row * stride + head * stack.headDim + i] *= attention.scale[i];
}

} // namespace

void Pass::selfAttention (const Stack& stack, const Attention& attention, int rows, const Cache& cache,
                          int window, const std::int32_t* frames)
{
    const int inner = stack.heads * stack.headDim;
    float* in = grown (normed, static_cast<std::int64_t> (rows) * stack.width);
    float* all = grown (projected, static_cast<std::int64_t> (rows) * 3 * inner);
    float* out = grown (context, static_cast<std::int64_t> (rows) * inner);
    float* weighted = grown (scores, static_cast<std::int64_t> (rows) * (window + 1));
    for (int row = 0; row < rows; ++row)
        kernel.rmsNorm (x.data() + row * stack.width, attention.pre, weights.epsilon, in + row * stack.width,
                        stack.width);
    multiply (attention.projection, in, rows, all);
    scaleQueries (stack, attention, all, rows, 3 * inner);
    const std::ptrdiff_t headSize = static_cast<std::ptrdiff_t> (window + 1) * stack.headDim;
    forEach (rows,
             [&] (int row)
             {
                 const int count = std::min (frames[row] + 1, window);
                 for (int head = 0; head < stack.heads; ++head)
                 {
                     const float* query = all + row * 3 * inner + head * stack.headDim;
                     const std::ptrdiff_t at = (row * stack.heads + head) * headSize;
                     push (cache.keysBefore + at, query + inner, window, stack.headDim, cache.keys + at);
                     push (cache.valuesBefore + at, query + 2 * inner, window, stack.headDim,
                           cache.values + at);
                     attendWithSink (kernel, query, cache.keys + at, cache.values + at, window, count,
                                     stack.headDim, weighted + row * (window + 1),
                                     out + row * inner + head * stack.headDim);
                 }
             });
    finishAttention (stack, attention, rows);
}

void Pass::crossAttention (const Stack& stack, const Attention& attention, int rows, const Cache& cache,
                           int window, const std::int32_t* frames)
{
    const int inner = stack.heads * stack.headDim;
    float* in = grown (normed, static_cast<std::int64_t> (rows) * stack.width);
    float* queries = grown (projected, static_cast<std::int64_t> (rows) * inner);
    float* added = grown (sourced, static_cast<std::int64_t> (rows) * 2 * inner);
    float* out = grown (context, static_cast<std::int64_t> (rows) * inner);
    float* weighted = grown (scores, static_cast<std::int64_t> (rows) * (window + 1));
    for (int row = 0; row < rows; ++row)
        kernel.rmsNorm (x.data() + row * stack.width, attention.pre, weights.epsilon, in + row * stack.width,
                        stack.width);
    multiply (attention.projection, in, rows, queries);
    scaleQueries (stack, attention, queries, rows, inner);
    multiply (attention.source, encoded.data(), rows, added);
    const std::ptrdiff_t headSize = static_cast<std::ptrdiff_t> (window + 1) * stack.headDim;
    forEach (rows,
             [&] (int row)
             {
                 const int count = std::min (frames[row] + 1, window);
                 for (int head = 0; head < stack.heads; ++head)
                 {
                     const int offset = head * stack.headDim;
                     const float* key = added + row * 2 * inner + offset;
                     const std::ptrdiff_t at = (row * stack.heads + head) * headSize;
                     push (cache.keysBefore + at, key, window, stack.headDim, cache.keys + at);
                     push (cache.valuesBefore + at, key + inner, window, stack.headDim, cache.values + at);
                     attendWithSink (kernel, queries + row * inner + offset, cache.keys + at,
                                     cache.values + at, window, count, stack.headDim,
                                     weighted + row * (window + 1), out + row * inner + offset);
                 }
             });
    finishAttention (stack, attention, rows);
}

void Pass::depthAttention (const Stack& stack, const Attention& attention, int rows, int layer, int step)
{
    const int dim = stack.headDim;
    const int inner = stack.heads * dim;
    float* in = grown (normed, static_cast<std::int64_t> (rows) * stack.width);
    float* all = grown (projected, static_cast<std::int64_t> (rows) * 3 * inner);
    float* out = grown (context, static_cast<std::int64_t> (rows) * inner);
    float* weighted = grown (scores, weights.codebooks);
    for (int row = 0; row < rows; ++row)
        kernel.rmsNorm (x.data() + row * stack.width, attention.pre, weights.epsilon, in + row * stack.width,
                        stack.width);
    multiply (attention.projection, in, rows, all);
    scaleQueries (stack, attention, all, rows, 3 * inner);
    const std::ptrdiff_t headSize = static_cast<std::ptrdiff_t> (weights.codebooks) * dim;
    for (int row = 0; row < rows; ++row)
        for (int head = 0; head < stack.heads; ++head)
        {
            const float* query = all + row * 3 * inner + head * dim;
            const std::ptrdiff_t at =
                ((static_cast<std::ptrdiff_t> (layer) * rows + row) * stack.heads + head) * headSize;
            float* keys = depthKeys.data() + at;
            float* values = depthValues.data() + at;
            std::copy_n (query + inner, dim, keys + step * dim);
            std::copy_n (query + 2 * inner, dim, values + step * dim);
            kernel.product ({keys, step + 1, dim}, query, 1, weighted, 0, step + 1);
            kernel.softmax (weighted, step + 1);
            kernel.weightedSum (weighted, values, step + 1, dim, out + row * inner + head * dim);
        }
    finishAttention (stack, attention, rows);
}

void Pass::finishAttention (const Stack& stack, const Attention& attention, int rows)
{
    multiply (attention.output, context.data(), rows,
              grown (branch, static_cast<std::int64_t> (rows) * stack.width));
    addNormed (stack, attention.post, rows);
}

} // namespace bandmate::depthformer

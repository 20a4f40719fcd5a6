// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "../blas/worker_pool.hpp"
#include "kernels.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace bandmate::depthformer
{

// One attention. Norm scales [width]; `source` is empty in self-attention.
struct Attention
{
    const float* pre = nullptr;
    const float* post = nullptr;
    const float* scale = nullptr; // query factor [d]; null where it is folded into the projection
    Matrix projection;            // [3 * heads * d, width], or [heads * d, width] with a source
    Matrix source;                // [2 * heads * d, source width]
    Matrix output;                // [width, heads * d]
};

struct FeedForward
{
    const float* pre = nullptr;
    const float* post = nullptr;
    Matrix first;
    const float* firstBias = nullptr;
    Matrix second;
    const float* secondBias = nullptr;
};

struct Layer
{
    Attention self;
    Attention cross; // unused in the depth decoder
    FeedForward feedForward;
};

struct Stack
{
    int width = 0;
    int heads = 0;
    int headDim = 0;
    std::vector<Layer> layers;
};

// Everything that is fixed once a model is loaded. Pointers are into arrays that the owner keeps.
struct Model
{
    int channels = 0;    // conditioning ids of a row
    int styleLevels = 0; // of which use the style table
    int encoderWidth = 0;
    int codebooks = 0;
    int codebookSize = 0;
    int reserved = 0; // ids before the first code
    int window = 0;   // cache positions besides the sink
    int crossWindow = 0;
    float softCap = 0;
    float epsilon = 0;
    const std::int32_t* rowOffsets = nullptr; // [channels]
    Matrix styleTable;
    Matrix styleAdapter;
    Matrix regularTable;
    const float* encoderScale = nullptr;
    const float* encoderBias = nullptr;
    Matrix codeTable;
    Stack temporal;
    Stack depth;
    Matrix depthAdapter;     // empty when both decoders are equally wide
    Matrix depthPastAdapter; // empty when the depth decoder does not see the frame before
    const float* depthScale = nullptr;
    const float* depthBias = nullptr;
    std::vector<Matrix> heads;            // [codebookSize, depth width] each
    std::vector<const float*> headBiases; // [codebookSize] each
    // [codebooks, codebookSize, valueDims]; null where the likeliest code is picked, whatever it stands for.
    const float* codeValues = nullptr;
    int valueDims = 0;
    const float* codeLevels = nullptr; // [codebooks, codebookSize], dB; beside the values
};

// Caches of one attention: keys and values [rows, heads, 1 + window, d], slot 0 the sink.
struct Cache
{
    const float* keysBefore = nullptr;
    const float* valuesBefore = nullptr;
    float* keys = nullptr;
    float* values = nullptr;
};

// One frame's inputs and outputs. A session's rows are adjacent: one; three with logit guidance (in full,
// style masked, notes masked); or one of each prompt of a blend.
struct Frame
{
    int sessions = 0;
    int rows = 0;                           // per session
    const std::int32_t* tokens = nullptr;   // [sessions * rows, channels]
    const std::int32_t* previous = nullptr; // [sessions * rows, codebooks] ids
    const std::int32_t* frames = nullptr;   // [sessions * rows] frames so far
    // Where codes are picked near the mean: the last frame's ids [sessions * rows, codebooks], told to the
    // model or not, how long they are kept, and how much louder others may be [sessions] (see pickNearMean).
    const std::int32_t* last = nullptr;
    const float* hold = nullptr;
    const float* rise = nullptr;
    const float* noise = nullptr;       // [sessions, codebooks, codebookSize]
    const float* temperature = nullptr; // [sessions]
    const std::int32_t* topK = nullptr; // [sessions]
    const float* scales = nullptr;      // [sessions, 2], for logit guidance
    const float* shares = nullptr;      // [sessions, rows], how much each prompt counts; null: no blends
    std::vector<Cache> self;            // per temporal layer
    std::vector<Cache> cross;
    std::int32_t* codes = nullptr; // out [sessions, codebooks]
    std::int32_t* next = nullptr;  // out [sessions * rows, codebooks] ids
    // What a frame went through, for comparisons; null where nobody looks.
    float* temporalOut = nullptr; // out [sessions * rows, temporal width]
    float* logits = nullptr;      // out [codebooks, sessions * rows, codebookSize], capped, not guided
};

// One thread's way through a frame, with scratch memory of its own; large products and the attention of many
// rows are shared with the workers of `pool`, where there is one.
class Pass
{
public:
    Pass (const Model& model, blas::WorkerPool* pool);

    void encode (const Frame& frame);
    // Of what was encoded.
    void runTemporal (const Frame& frame);
    // The temporal decoder's output [sessions * rows, width].
    const float* temporal() const { return x.data(); }
    // Samples the frame's codes, of a temporal output that may be this pass's own.
    void runDepth (const Frame& frame, const float* temporalOut);

private:
    void multiply (const Matrix& matrix, const float* from, int rows, float* to);
    template <typename Function>
    void forEach (int count, const Function& function);
    void join (float* own, const Frame& frame, int session);
    int pick (const float* own, const float* noise, const Frame& frame, int session, int step);
    const float* projectPast (const Frame& frame, int rows);
    void selfAttention (const Stack& stack, const Attention& attention, int rows, const Cache& cache,
                        int window, const std::int32_t* frames);
    void crossAttention (const Stack& stack, const Attention& attention, int rows, const Cache& cache,
                         int window, const std::int32_t* frames);
    void depthAttention (const Stack& stack, const Attention& attention, int rows, int layer, int step);
    void finishAttention (const Stack& stack, const Attention& attention, int rows);
    void feedForward (const Stack& stack, const FeedForward& part, int rows);
    void embed (const std::int32_t* ids, int count, float* sum);
    void addNormed (const Stack& stack, const float* post, int rows);

    const Model& weights;
    const Kernels& kernel;
    blas::WorkerPool* pool;
    std::vector<float> encoded, x, normed, projected, sourced, context, branch, hidden, logits, scores;
    std::vector<float> pastCodes;
    std::vector<float> depthKeys, depthValues;
    std::vector<std::vector<float>> scratch; // one of each session
};

// function (i) for each i below `count`, on several threads where there are several.
template <typename Function>
void Pass::forEach (int count, const Function& function)
{
    const auto call = [] (const void* context, int i)
    {
        (*static_cast<const Function*> (context)) (i);
    };
    if (pool != nullptr && count > 1)
        return pool->run (call, &function, count);
    for (int i = 0; i < count; ++i)
        function (i);
}

} // namespace bandmate::depthformer

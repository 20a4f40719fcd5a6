// SPDX-License-Identifier: GPL-3.0-or-later
#include "runner.hpp"

#include <algorithm>
#include <utility>

namespace bandmate::depthformer
{
namespace
{

// From so many rows of each thread on, reading all of the depth decoder's weights is cheaper than waiting.
constexpr int rowsOfOneThread = 3;

// `count` of a frame's sessions, from `first` on. Not where logits are looked at: those of a codebook lie
// together.
Frame partOf (const Frame& frame, int codebooks, int codebookSize, int first, int count)
{
    Frame part = frame;
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t> (first) * frame.rows;
    part.sessions = count;
    part.previous += row * codebooks;
    part.last += row * codebooks;
    part.next += row * codebooks;
    part.noise += static_cast<std::ptrdiff_t> (first) * codebooks * codebookSize;
    part.codes += static_cast<std::ptrdiff_t> (first) * codebooks;
    part.hold += first;
    part.rise += first;
    part.temperature += first;
    part.topK += first;
    part.scales += static_cast<std::ptrdiff_t> (first) * 2;
    if (part.shares != nullptr)
        part.shares += row;
    return part;
}

struct DepthParts
{
    const Frame& frame;
    const Model& model;
    const float* temporal;
    std::vector<Pass>& parts;
    int perPart;
};

} // namespace

Runner::Runner (Model model, int threads)
    : weights (std::move (model)), pool (threads), whole (weights, &pool),
      parts (static_cast<std::size_t> (pool.threads()), Pass (weights, nullptr))
{
}

void Runner::depthPart (const void* context, int part)
{
    const auto& shared = *static_cast<const DepthParts*> (context);
    const auto& m = shared.model;
    const int first = part * shared.perPart;
    const int count = std::min (shared.perPart, shared.frame.sessions - first);
    shared.parts[static_cast<std::size_t> (part)].runDepth (
        partOf (shared.frame, m.codebooks, m.codebookSize, first, count),
        shared.temporal + static_cast<std::ptrdiff_t> (first) * shared.frame.rows * m.temporal.width);
}

void Runner::run (const Frame& frame)
{
    whole.encode (frame);
    whole.runTemporal (frame);
    const int threads = pool.threads();
    const int perPart = (frame.sessions + threads - 1) / threads;
    const bool few = frame.sessions < threads || perPart * frame.rows < rowsOfOneThread;
    if (few || threads == 1 || frame.logits != nullptr)
        return whole.runDepth (frame, whole.temporal());
    const DepthParts shared{frame, weights, whole.temporal(), parts, perPart};
    pool.run (depthPart, &shared, (frame.sessions + perPart - 1) / perPart);
}

} // namespace bandmate::depthformer

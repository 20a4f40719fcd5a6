// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "depthformer.hpp"

namespace bandmate::depthformer
{

// Runs frames on the CPU. Keeps scratch memory only: all state is in the frame.
//
// Weights are read once for all sessions, and products shared among the threads. The depth decoder's products
// are many and small; with enough sessions it is quicker when each thread takes its own of them through all
// steps, and none waits for another.
class Runner
{
public:
    Runner (Model model, int threads);

    void run (const Frame& frame);

    const Model& model() const { return weights; }

private:
    static void depthPart (const void* context, int part);

    const Model weights;
    blas::WorkerPool pool;
    Pass whole;
    std::vector<Pass> parts;
};

} // namespace bandmate::depthformer

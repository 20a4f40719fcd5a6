// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

namespace bandmate::depthformer
{

// The index of the largest logit plus temperature times noise among the `topK` largest logits; ties at
// the threshold are all kept, the first of equal sums wins. `scratch` keeps its memory for later calls.
inline int pickCode (const float* logits, const float* noise, float temperature, int topK, int n,
                     std::vector<float>& scratch)
{
    const int kept = std::clamp (topK, 1, n);
    scratch.assign (logits, logits + n);
    std::nth_element (scratch.begin(), scratch.begin() + (kept - 1), scratch.end(), std::greater<float>());
    const float threshold = scratch[static_cast<std::size_t> (kept - 1)];
    int best = -1;
    float highest = 0;
    for (int i = 0; i < n; ++i)
    {
        if (logits[i] < threshold)
            continue;
        const float value = logits[i] + temperature * noise[i];
        if (best < 0 || value > highest)
        {
            best = i;
            highest = value;
        }
    }
    return best < 0 ? 0 : best; // only if every logit is NaN
}

} // namespace bandmate::depthformer

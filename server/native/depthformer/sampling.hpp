// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <vector>

namespace bandmate::depthformer
{

// From this far below temperature 1 on, a draw is a single code.
inline constexpr float sharpest = 0.05f;

// The `count`-th largest of n values; NaN where too many are. `scratch` keeps its memory for later calls.
inline float largest (const float* values, int n, int count, std::vector<float>& scratch)
{
    // At least `count` values reach the count-th largest of the maxima of that many groups or more: few do.
    constexpr int groups = 64;
    float atLeast = -std::numeric_limits<float>::infinity();
    if (count <= groups && n >= 4 * groups)
    {
        scratch.assign (values, values + groups);
        for (int from = groups; from < n; from += groups)
            for (int i = 0; i < std::min (groups, n - from); ++i)
                scratch[static_cast<std::size_t> (i)] =
                    std::max (scratch[static_cast<std::size_t> (i)], values[from + i]);
        std::nth_element (scratch.begin(), scratch.begin() + (count - 1), scratch.end(),
                          std::greater<float>());
        atLeast = scratch[static_cast<std::size_t> (count - 1)];
    }
    scratch.clear();
    for (int i = 0; i < n; ++i)
        if (values[i] >= atLeast)
            scratch.push_back (values[i]);
    if (scratch.size() < static_cast<std::size_t> (count))
        return std::numeric_limits<float>::quiet_NaN();
    std::nth_element (scratch.begin(), scratch.begin() + (count - 1), scratch.end(), std::greater<float>());
    return scratch[static_cast<std::size_t> (count - 1)];
}

// The index of the largest logit plus temperature times noise among the `topK` largest logits; ties at
// the threshold are all kept, the first of equal sums wins. `scratch` keeps its memory for later calls.
inline int pickCode (const float* logits, const float* noise, float temperature, int topK, int n,
                     std::vector<float>& scratch)
{
    const float threshold = largest (logits, n, std::clamp (topK, 1, n), scratch);
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

// What the codes of a codebook stand for, [n, dims].
struct CodeValues
{
    const float* data = nullptr;
    int dims = 0;
    const float* levels = nullptr; // [n], how loud, dB

    const float* of (int code) const { return data + static_cast<std::ptrdiff_t> (code) * dims; }
};

// The kept code nearest to what is expected: the mean of what the kept codes stand for, each weighing
// exp ((logit + temperature * noise) / (1 - temperature)). At temperature 0 nothing is drawn; towards 1
// the heaviest code outweighs all others, and this is `pickCode`. `scratch` as there.
//
// `last` is the code of the frame before, or negative: it is kept while the square of its distance is at most
// `hold` times the nearest one's, for codes that flicker are heard as new onsets. No code is picked that is
// louder than it and than the mean less `rise` dB: steps up are heard as onsets too.
inline int pickNearMean (const float* logits, const float* noise, float temperature, int topK, int n,
                         const CodeValues& values, int last, float hold, float rise,
                         std::vector<float>& scratch)
{
    const float threshold = largest (logits, n, std::clamp (topK, 1, n), scratch);
    const float sharpness = std::max (1.0f - temperature, sharpest);
    float highest = -std::numeric_limits<float>::infinity();
    for (int i = 0; i < n; ++i)
        if (logits[i] >= threshold)
            highest = std::max (highest, logits[i] + temperature * noise[i]);
    scratch.assign (static_cast<std::size_t> (values.dims), 0.0f);
    float* mean = scratch.data();
    float total = 0;
    float level = 0;
    for (int i = 0; i < n; ++i)
        if (logits[i] >= threshold)
        {
            const float weight = std::exp ((logits[i] + temperature * noise[i] - highest) / sharpness);
            total += weight;
            level += weight * values.levels[i];
            for (int d = 0; d < values.dims; ++d)
                mean[d] += weight * values.of (i)[d];
        }
    for (int d = 0; d < values.dims; ++d)
        mean[d] /= total;
    const auto distanceOf = [&] (int code)
    {
        float distance = 0;
        for (int d = 0; d < values.dims; ++d)
            distance += (mean[d] - values.of (code)[d]) * (mean[d] - values.of (code)[d]);
        return distance;
    };
    constexpr float any = std::numeric_limits<float>::infinity();
    const float limit = last < 0 ? any : std::max (level / total - rise, values.levels[last]);
    int best = -1;
    float nearest = any;
    for (int i = 0; i < n; ++i)
    {
        if (!(logits[i] >= threshold) || values.levels[i] > limit)
            continue;
        const float distance = distanceOf (i);
        if (best < 0 || distance < nearest)
        {
            best = i;
            nearest = distance;
        }
    }
    if (last >= 0 && distanceOf (last) <= nearest * hold)
        return last;
    return best < 0 ? 0 : best; // only if every logit is NaN
}

} // namespace bandmate::depthformer

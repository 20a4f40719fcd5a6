// SPDX-License-Identifier: GPL-3.0-or-later
// The numeric loops. Included once per instruction set with BANDMATE_KERNELS (name of the table),
// BANDMATE_INSTRUCTION_SET, BANDMATE_VECTOR_BYTES and BANDMATE_POSITIONS defined; the compiler does the rest.
#include "kernels.hpp"

#include <cstring>

namespace bandmate::spectrostream
{
namespace
{

using Vector = float __attribute__ ((vector_size (BANDMATE_VECTOR_BYTES)));
constexpr int lanes = BANDMATE_VECTOR_BYTES / static_cast<int> (sizeof (float));
constexpr int vectors = 2; // of a tile's channels: a weight is read for all positions at once
constexpr int channels = vectors * lanes;
constexpr int tilePositions = BANDMATE_POSITIONS;
static_assert (tilePositions * channels <= largestTile, "tiles must fit");

inline Vector load (const float* from)
{
    Vector v;
    std::memcpy (&v, from, sizeof v);
    return v;
}

inline void store (float* to, Vector v)
{
    std::memcpy (to, &v, sizeof v);
}

inline float sum (Vector v)
{
    float total = 0;
    for (int i = 0; i < lanes; ++i)
        total += v[i];
    return total;
}

// exp (x) - 1 for x below 0: the series at x / 16, squared four times, so that small results stay exact.
inline Vector negativeElu (Vector x)
{
    const Vector lowest = Vector{} - 16.0f; // exp of this is half a step below 1
    x = x < lowest ? lowest : x;
    const Vector small = x * (1.0f / 16);
    Vector power = small * (1.0f / 362880) + (1.0f / 40320);
    power = power * small + (1.0f / 5040);
    power = power * small + (1.0f / 720);
    power = power * small + (1.0f / 120);
    power = power * small + (1.0f / 24);
    power = power * small + (1.0f / 6);
    power = power * small + (1.0f / 2);
    power = power * small + 1.0f;
    Vector value = power * small;
    for (int i = 0; i < 4; ++i)
        value = value * (value + 2.0f);
    return value;
}

inline Vector eluOf (Vector x)
{
    return x > 0.0f ? x : negativeElu (x);
}

template <int Positions>
void tileOf (const Patch& patch, float* sums)
{
    Vector totals[Positions][vectors] = {};
    const float* w = patch.weights;
    const std::ptrdiff_t step = patch.inputs;
    for (int tap = 0; tap < patch.taps; ++tap)
    {
        const float* x = patch.in + patch.offsets[tap];
        for (int c = 0; c < patch.inputs; ++c, w += channels)
        {
            Vector weights[vectors];
            for (int v = 0; v < vectors; ++v)
                weights[v] = load (w + v * lanes);
            for (int p = 0; p < Positions; ++p)
            {
                const float value = x[p * step + c];
                for (int v = 0; v < vectors; ++v)
                    totals[p][v] += value * weights[v];
            }
        }
    }
    for (int p = 0; p < Positions; ++p)
        for (int v = 0; v < vectors; ++v)
            store (sums + p * channels + v * lanes, totals[p][v]);
}

void tile (const Patch& patch, int positions, float* sums)
{
    if (positions == 1)
        tileOf<1> (patch, sums);
    else if (positions <= tilePositions / 2)
        tileOf<tilePositions / 2> (patch, sums);
    else
        tileOf<tilePositions> (patch, sums);
}

template <int Positions>
void dotsOf (const Rows& patch, float* sums)
{
    Vector totals[Positions][parts] = {};
    float rest[Positions][parts] = {};
    for (int row = 0; row < patch.rows; ++row)
    {
        const float* x = patch.in + row * patch.rowStep;
        const float* w = patch.weights + static_cast<std::ptrdiff_t> (row) * parts * patch.length;
        int k = 0;
        for (; k + lanes <= patch.length; k += lanes)
        {
            Vector weights[parts];
            for (int o = 0; o < parts; ++o)
                weights[o] = load (w + o * patch.length + k);
            for (int p = 0; p < Positions; ++p)
            {
                const Vector value = load (x + p * patch.step + k);
                for (int o = 0; o < parts; ++o)
                    totals[p][o] += value * weights[o];
            }
        }
        for (; k < patch.length; ++k)
            for (int p = 0; p < Positions; ++p)
                for (int o = 0; o < parts; ++o)
                    rest[p][o] += x[p * patch.step + k] * w[o * patch.length + k];
    }
    for (int p = 0; p < Positions; ++p)
        for (int o = 0; o < parts; ++o)
            sums[p * parts + o] = sum (totals[p][o]) + rest[p][o];
}

void dots (const Rows& patch, int positions, float* sums)
{
    constexpr int most = tilePositions / 2;
    auto some = patch;
    int done = 0;
    for (; done + most <= positions; done += most)
    {
        some.in = patch.in + static_cast<std::ptrdiff_t> (done) * patch.step;
        dotsOf<most> (some, sums + done * parts);
    }
    for (; done < positions; ++done)
    {
        some.in = patch.in + static_cast<std::ptrdiff_t> (done) * patch.step;
        dotsOf<1> (some, sums + done * parts);
    }
}

// Calls f with whole vectors at i, and at last with a part of one: how many floats are wanted.
template <typename Function>
inline void forEach (int n, Function f)
{
    for (int i = 0; i < n; i += lanes)
        f (i, n - i < lanes ? n - i : lanes);
}

inline Vector loadPart (const float* from, int count)
{
    if (count == lanes)
        return load (from);
    float rest[lanes] = {};
    std::memcpy (rest, from, static_cast<std::size_t> (count) * sizeof (float));
    return load (rest);
}

inline void storePart (float* to, Vector v, int count)
{
    std::memcpy (to, &v, static_cast<std::size_t> (count) * sizeof (float));
}

void finish (const float* sums, const float* bias, const float* added, bool elu, float* to, int n)
{
    forEach (n,
             [=] (int i, int count)
             {
                 Vector v = loadPart (sums + i, count) + loadPart (bias + i, count);
                 if (added != nullptr)
                     v += loadPart (added + i, count);
                 v = elu ? eluOf (v) : v;
                 if (count == lanes)
                     store (to + i, v);
                 else
                     storePart (to + i, v, count);
             });
}

void elu (const float* x, float* to, int n)
{
    forEach (n,
             [=] (int i, int count)
             {
                 const Vector v = eluOf (loadPart (x + i, count));
                 if (count == lanes)
                     store (to + i, v);
                 else
                     storePart (to + i, v, count);
             });
}

} // namespace

extern const Kernels BANDMATE_KERNELS;
const Kernels BANDMATE_KERNELS = {
    BANDMATE_INSTRUCTION_SET, tilePositions, channels, tile, dots, finish, elu};

} // namespace bandmate::spectrostream

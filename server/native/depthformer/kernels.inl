// SPDX-License-Identifier: GPL-3.0-or-later
// The numeric loops. Included once per instruction set with BANDMATE_KERNELS (name of the table),
// BANDMATE_INSTRUCTION_SET and BANDMATE_VECTOR_BYTES defined; the compiler does the rest.
#include "kernels.hpp"

#include <cmath>
#include <cstring>
#include <vector>

#if BANDMATE_VECTOR_BYTES > 16
#include <immintrin.h>
#endif

namespace bandmate::depthformer
{
namespace
{

constexpr int lanes = BANDMATE_VECTOR_BYTES / static_cast<int> (sizeof (float));
using Vector = float __attribute__ ((vector_size (BANDMATE_VECTOR_BYTES)));
using Integers = std::int32_t __attribute__ ((vector_size (BANDMATE_VECTOR_BYTES)));
using Words = std::uint32_t __attribute__ ((vector_size (BANDMATE_VECTOR_BYTES)));
using Halves = std::uint16_t __attribute__ ((vector_size (BANDMATE_VECTOR_BYTES / 2)));
#if BANDMATE_VECTOR_BYTES == 16
using Bytes = std::uint8_t __attribute__ ((vector_size (BANDMATE_VECTOR_BYTES / 4)));
#endif

inline Vector load (const float* from)
{
    Vector v;
    std::memcpy (&v, from, sizeof v);
    return v;
}

// A bfloat16 is the upper half of a float32.
inline Vector load (const std::uint16_t* from)
{
    Halves halves;
    std::memcpy (&halves, from, sizeof halves);
    const Words words = __builtin_convertvector(halves, Words) << 16;
    Vector v;
    std::memcpy (&v, &words, sizeof v);
    return v;
}

inline Vector load (const std::uint8_t* from)
{
#if BANDMATE_VECTOR_BYTES == 64
    // GCC takes such a conversion apart, element by element; of the form without a mask it warns.
    const auto bytes = _mm_loadu_si128 (reinterpret_cast<const __m128i*> (from));
    const auto words = reinterpret_cast<Integers> (_mm512_maskz_cvtepu8_epi32 (0xffff, bytes));
    return __builtin_convertvector(words, Vector);
#elif BANDMATE_VECTOR_BYTES == 32
    const auto bytes = _mm_loadl_epi64 (reinterpret_cast<const __m128i*> (from));
    const auto words = reinterpret_cast<Integers> (_mm256_cvtepu8_epi32 (bytes));
    return __builtin_convertvector(words, Vector);
#else
    Bytes bytes;
    std::memcpy (&bytes, from, sizeof bytes);
    return __builtin_convertvector(__builtin_convertvector(bytes, Integers), Vector);
#endif
}

inline float scalar (float value)
{
    return value;
}

inline float scalar (std::uint16_t value)
{
    const std::uint32_t word = static_cast<std::uint32_t> (value) << 16;
    float out;
    std::memcpy (&out, &word, sizeof out);
    return out;
}

inline void store (float* to, Vector v)
{
    std::memcpy (to, &v, sizeof v);
}

using Quarter = float __attribute__ ((vector_size (16)));

inline float sumOf (Quarter v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

#if BANDMATE_VECTOR_BYTES > 16
using Half = float __attribute__ ((vector_size (32)));

inline float sumOf (Half v)
{
    Quarter low, high;
    std::memcpy (&low, &v, sizeof low);
    std::memcpy (&high, reinterpret_cast<const char*> (&v) + sizeof low, sizeof high);
    return sumOf (low + high);
}
#endif

// By halves: one after the other, the lanes of a short product take longer than the product.
inline float sum (Vector v)
{
#if BANDMATE_VECTOR_BYTES == 64
    Half low, high;
    std::memcpy (&low, &v, sizeof low);
    std::memcpy (&high, reinterpret_cast<const char*> (&v) + sizeof low, sizeof high);
    return sumOf (low + high);
#else
    return sumOf (v);
#endif
}

// exp, accurate to about two steps of float32 for x in -87..88; clamped outside.
inline Vector exponential (Vector x)
{
    const Vector low = Vector{} - 87.0f, high = Vector{} + 88.0f;
    x = x < low ? low : x;
    x = x > high ? high : x;
    // x = n ln 2 + r with |r| <= ln 2 / 2
    const Vector scaled = x * 1.44269504f;
    const Vector half = scaled < 0.0f ? Vector{} - 0.5f : Vector{} + 0.5f;
    const Integers n = __builtin_convertvector(scaled + half, Integers);
    const Vector whole = __builtin_convertvector(n, Vector);
    const Vector r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    Vector p = r * (1.0f / 5040) + (1.0f / 720);
    p = p * r + (1.0f / 120);
    p = p * r + (1.0f / 24);
    p = p * r + (1.0f / 6);
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const Integers exponent = (n + 127) << 23;
    Vector power;
    std::memcpy (&power, &exponent, sizeof power);
    return p * power;
}

inline Vector tanhOf (Vector x)
{
    const Vector limit = Vector{} + 10.0f; // tanh is 1 in float32 well before
    x = x > limit ? limit : x;
    x = x < -limit ? -limit : x;
    return 1.0f - 2.0f / (exponential (x + x) + 1.0f);
}

// Calls f on whole vectors of x, and on the rest padded with zeros.
template <typename Function>
inline void forEach (float* x, int n, Function f)
{
    int i = 0;
    for (; i + lanes <= n; i += lanes)
        store (x + i, f (load (x + i), i));
    if (i < n)
    {
        float rest[lanes] = {};
        std::memcpy (rest, x + i, static_cast<std::size_t> (n - i) * sizeof (float));
        store (rest, f (load (rest), i));
        std::memcpy (x + i, rest, static_cast<std::size_t> (n - i) * sizeof (float));
    }
}

inline Vector loadPart (const float* from, int i, int n)
{
    if (i + lanes <= n)
        return load (from + i);
    float rest[lanes] = {};
    std::memcpy (rest, from + i, static_cast<std::size_t> (n - i) * sizeof (float));
    return load (rest);
}

template <typename Weight, int Rows, int Block>
inline void productBlock (const Matrix& m, const float* x, float* y, int output)
{
    const auto* weights = static_cast<const Weight*> (m.data);
    const std::ptrdiff_t inputs = m.inputs;
    Vector totals[Rows][Block] = {};
    const Weight* w[Block];
    for (int j = 0; j < Block; ++j)
        w[j] = weights + (output + j) * inputs;

    int k = 0;
    for (; k + lanes <= m.inputs; k += lanes)
    {
        Vector a[Rows];
        for (int r = 0; r < Rows; ++r)
            a[r] = load (x + r * inputs + k);
        for (int j = 0; j < Block; ++j)
        {
            const Vector b = load (w[j] + k);
            for (int r = 0; r < Rows; ++r)
                totals[r][j] += a[r] * b;
        }
    }
    for (int r = 0; r < Rows; ++r)
        for (int j = 0; j < Block; ++j)
        {
            float total = sum (totals[r][j]);
            for (int rest = k; rest < m.inputs; ++rest)
                total += x[r * inputs + rest] * scalar (w[j][rest]);
            y[static_cast<std::ptrdiff_t> (r) * m.outputs + output + j] = total;
        }
}

template <typename Weight, int Rows>
void productRows (const Matrix& m, const float* x, float* y, int first, int last)
{
    constexpr int block = Rows == 1 ? 8 : 4;
    int output = first;
    for (; output + block <= last; output += block)
        productBlock<Weight, Rows, block> (m, x, y, output);
    for (; output < last; ++output)
        productBlock<Weight, Rows, 1> (m, x, y, output);
}

// Outputs computed before the next rows are taken: their weights are still in the cache then.
constexpr int outputsAtOnce = 16;

template <typename Weight>
void productAll (const Matrix& m, const float* x, int rows, float* y, int first, int last)
{
    if (rows == 1)
        return productRows<Weight, 1> (m, x, y, first, last);
    for (int from = first; from < last; from += outputsAtOnce)
    {
        const int to = from + outputsAtOnce < last ? from + outputsAtOnce : last;
        int row = 0;
        for (; row + 4 <= rows; row += 4)
            productRows<Weight, 4> (m, x + row * m.inputs, y + row * m.outputs, from, to);
        for (; row + 2 <= rows; row += 2)
            productRows<Weight, 2> (m, x + row * m.inputs, y + row * m.outputs, from, to);
        for (; row < rows; ++row)
            productRows<Weight, 1> (m, x + row * m.inputs, y + row * m.outputs, from, to);
    }
}

// `sums` has the sum of each group of each row of x: what a group's bias is multiplied by.
template <int Rows, int Block>
inline void quantisedBlock (const Matrix& m, const float* x, const float* sums, float* y, int output)
{
    const auto* weights = static_cast<const std::uint8_t*> (m.data);
    const std::ptrdiff_t inputs = m.inputs;
    const int group = m.inputs / m.groups;
    Vector totals[Rows][Block] = {};
    for (int g = 0; g < m.groups; ++g)
    {
        Vector parts[Rows][Block] = {};
        for (int k = g * group; k < (g + 1) * group; k += lanes)
        {
            Vector a[Rows];
            for (int r = 0; r < Rows; ++r)
                a[r] = load (x + r * inputs + k);
            for (int j = 0; j < Block; ++j)
            {
                const Vector b = load (weights + (output + j) * inputs + k);
                for (int r = 0; r < Rows; ++r)
                    parts[r][j] += a[r] * b;
            }
        }
        for (int j = 0; j < Block; ++j)
        {
            const float scale = m.scales[static_cast<std::ptrdiff_t> (output + j) * m.groups + g];
            for (int r = 0; r < Rows; ++r)
                totals[r][j] += parts[r][j] * scale;
        }
    }
    for (int r = 0; r < Rows; ++r)
        for (int j = 0; j < Block; ++j)
        {
            const float* biases = m.biases + static_cast<std::ptrdiff_t> (output + j) * m.groups;
            float total = sum (totals[r][j]);
            for (int g = 0; g < m.groups; ++g)
                total += sums[r * m.groups + g] * biases[g];
            y[static_cast<std::ptrdiff_t> (r) * m.outputs + output + j] = total;
        }
}

template <int Rows>
void quantisedRows (const Matrix& m, const float* x, const float* sums, float* y, int first, int last)
{
    // As many running sums as there are registers for.
    constexpr int block = (lanes == 16 ? 8 : 4) / Rows;
    int output = first;
    for (; output + block <= last; output += block)
        quantisedBlock<Rows, block> (m, x, sums, y, output);
    for (; output < last; ++output)
        quantisedBlock<Rows, 1> (m, x, sums, y, output);
}

void quantisedAll (const Matrix& m, const float* x, int rows, float* y, int first, int last)
{
    static thread_local std::vector<float> sums;
    sums.resize (static_cast<std::size_t> (rows) * static_cast<std::size_t> (m.groups));
    const int group = m.inputs / m.groups;
    for (std::size_t i = 0; i < sums.size(); ++i)
    {
        const float* from = x + static_cast<std::ptrdiff_t> (i) * group;
        Vector total = {};
        for (int k = 0; k < group; k += lanes)
            total += load (from + k);
        sums[i] = sum (total);
    }
    for (int from = first; from < last; from += outputsAtOnce)
    {
        const int to = from + outputsAtOnce < last ? from + outputsAtOnce : last;
        int row = 0;
        for (; row + 4 <= rows; row += 4)
            quantisedRows<4> (m, x + row * m.inputs, sums.data() + row * m.groups, y + row * m.outputs, from,
                              to);
        for (; row + 2 <= rows; row += 2)
            quantisedRows<2> (m, x + row * m.inputs, sums.data() + row * m.groups, y + row * m.outputs, from,
                              to);
        for (; row < rows; ++row)
            quantisedRows<1> (m, x + row * m.inputs, sums.data() + row * m.groups, y + row * m.outputs, from,
                              to);
    }
}

void product (const Matrix& m, const float* x, int rows, float* y, int first, int last)
{
    switch (m.form)
    {
    case Form::float32:
        return productAll<float> (m, x, rows, y, first, last);
    case Form::bfloat16:
        return productAll<std::uint16_t> (m, x, rows, y, first, last);
    case Form::quantised:
        return quantisedAll (m, x, rows, y, first, last);
    }
}

void biasGelu (float* x, const float* bias, int n)
{
    forEach (x, n,
             [=] (Vector v, int i)
             {
                 v += loadPart (bias, i, n);
                 return 0.5f * v * (1.0f + tanhOf (0.7978845608f * (v + 0.044715f * v * v * v)));
             });
}

void biasCap (float* x, const float* bias, float cap, int n)
{
    const float inverse = 1.0f / cap;
    forEach (x, n, [=] (Vector v, int i) { return cap * tanhOf ((v + loadPart (bias, i, n)) * inverse); });
}

void softmax (float* x, int n)
{
    float largest = x[0];
    for (int i = 1; i < n; ++i)
        largest = x[i] > largest ? x[i] : largest;
    forEach (x, n, [=] (Vector v, int) { return exponential (v - largest); });
    float total = 0;
    for (int i = 0; i < n; ++i)
        total += x[i];
    const float inverse = 1.0f / total;
    forEach (x, n, [=] (Vector v, int) { return v * inverse; });
}

void rmsNorm (const float* x, const float* scale, float epsilon, float* y, int n)
{
    Vector squares = {};
    int i = 0;
    for (; i + lanes <= n; i += lanes)
        squares += load (x + i) * load (x + i);
    float total = sum (squares);
    for (; i < n; ++i)
        total += x[i] * x[i];
    const float factor = 1.0f / std::sqrt (total / static_cast<float> (n) + epsilon);
    for (i = 0; i < n; ++i)
        y[i] = x[i] * factor * scale[i];
}

void weightedSum (const float* weights, const float* values, int count, int n, float* y)
{
    int i = 0;
    for (; i + lanes <= n; i += lanes)
    {
        Vector total = {};
        for (int p = 0; p < count; ++p)
            total += weights[p] * load (values + static_cast<std::ptrdiff_t> (p) * n + i);
        store (y + i, total);
    }
    for (; i < n; ++i)
    {
        float total = 0;
        for (int p = 0; p < count; ++p)
            total += weights[p] * values[static_cast<std::ptrdiff_t> (p) * n + i];
        y[i] = total;
    }
}

} // namespace

extern const Kernels BANDMATE_KERNELS;
const Kernels BANDMATE_KERNELS = {
    BANDMATE_INSTRUCTION_SET, product, biasGelu, biasCap, softmax, rmsNorm, weightedSum};

} // namespace bandmate::depthformer

// SPDX-License-Identifier: GPL-3.0-or-later
// The few-row kernel. Included once per instruction set with BANDMATE_KERNEL (function name) and
// BANDMATE_VECTOR_BYTES defined; the compiler does the rest.
#include "few_rows.hpp"

#include <cstring>

namespace bandmate::blas
{
namespace
{

using Vector = float __attribute__ ((vector_size (BANDMATE_VECTOR_BYTES)));
constexpr int lanes = BANDMATE_VECTOR_BYTES / static_cast<int> (sizeof (float));

inline Vector load (const float* from)
{
    Vector v;
    std::memcpy (&v, from, sizeof v);
    return v;
}

inline float sum (Vector v)
{
    float total = 0;
    for (int i = 0; i < lanes; ++i)
        total += v[i];
    return total;
}

inline void store (const FewRows& p, int row, int column, float value)
{
    auto& c = p.c[row * p.cStride + column];
    c = p.alpha * value + (p.beta == 0.0f ? 0.0f : p.beta * c);
}

// B is [columns, depth]: dot products of `Rows` rows of A with `Block` rows of B at a time.
template <int Rows, int Block>
inline void dotBlock (const FewRows& p, int column)
{
    Vector totals[Rows][Block] = {};
    const float* b[Block];
    for (int j = 0; j < Block; ++j)
        b[j] = p.b + (column + j) * p.bStride;

    int k = 0;
    for (; k + lanes <= p.depth; k += lanes)
    {
        Vector a[Rows];
        for (int r = 0; r < Rows; ++r)
            a[r] = load (p.a + r * p.aStride + k);
        for (int j = 0; j < Block; ++j)
        {
            const Vector w = load (b[j] + k);
            for (int r = 0; r < Rows; ++r)
                totals[r][j] += a[r] * w;
        }
    }

    for (int r = 0; r < Rows; ++r)
        for (int j = 0; j < Block; ++j)
        {
            float total = sum (totals[r][j]);
            for (int rest = k; rest < p.depth; ++rest)
                total += p.a[r * p.aStride + rest] * b[j][rest];
            store (p, r, column + j, total);
        }
}

template <int Rows>
void dots (const FewRows& p, int first, int last)
{
    constexpr int block = Rows == 1 ? 8 : Rows <= 4 ? 4 : 2;
    int column = first;
    for (; column + block <= last; column += block)
        dotBlock<Rows, block> (p, column);
    for (; column < last; ++column)
        dotBlock<Rows, 1> (p, column);
}

// B is [depth, columns]: `Block` vectors of columns are kept in registers while B is walked down.
template <int Rows, int Block>
inline void sumBlock (const FewRows& p, int column)
{
    Vector totals[Rows][Block] = {};
    for (int k = 0; k < p.depth; ++k)
    {
        const float* b = p.b + k * p.bStride + column;
        Vector w[Block];
        for (int j = 0; j < Block; ++j)
            w[j] = load (b + j * lanes);
        for (int r = 0; r < Rows; ++r)
        {
            const float a = p.a[r * p.aStride + k];
            for (int j = 0; j < Block; ++j)
                totals[r][j] += a * w[j];
        }
    }
    for (int r = 0; r < Rows; ++r)
        for (int j = 0; j < Block; ++j)
            for (int i = 0; i < lanes; ++i)
                store (p, r, column + j * lanes + i, totals[r][j][i]);
}

template <int Rows>
void sums (const FewRows& p, int first, int last)
{
    constexpr int block = Rows == 1 ? 4 : 2;
    int column = first;
    for (; column + block * lanes <= last; column += block * lanes)
        sumBlock<Rows, block> (p, column);
    for (; column + lanes <= last; column += lanes)
        sumBlock<Rows, 1> (p, column);
    for (; column < last; ++column)
        for (int r = 0; r < Rows; ++r)
        {
            float total = 0;
            for (int k = 0; k < p.depth; ++k)
                total += p.a[r * p.aStride + k] * p.b[k * p.bStride + column];
            store (p, r, column, total);
        }
}

template <int Rows>
void rowsKernel (const FewRows& p, int first, int last)
{
    if (p.transposed)
        dots<Rows> (p, first, last);
    else
        sums<Rows> (p, first, last);
}

} // namespace

void BANDMATE_KERNEL (const FewRows& p, int first, int last)
{
    switch (p.rows)
    {
    case 1:
        return rowsKernel<1> (p, first, last);
    case 2:
        return rowsKernel<2> (p, first, last);
    case 3:
        return rowsKernel<3> (p, first, last);
    case 4:
        return rowsKernel<4> (p, first, last);
    case 5:
        return rowsKernel<5> (p, first, last);
    case 6:
        return rowsKernel<6> (p, first, last);
    case 7:
        return rowsKernel<7> (p, first, last);
    case 8:
        return rowsKernel<8> (p, first, last);
    default:
        return;
    }
}

} // namespace bandmate::blas

// SPDX-License-Identifier: GPL-3.0-or-later
// cblas_sgemm as MLX calls it. Loaded before MLX with global symbols, this one is found first.
//
// A live model multiplies one row, or one per session, by a whole matrix, hundreds of times a
// frame. BLAS libraries copy the matrix into blocks first, which costs more than the product. Few
// rows are multiplied here, reading the matrix once; everything else goes to an optimised BLAS.
#include "few_rows.hpp"
#include "worker_pool.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#define BANDMATE_EXPORT extern "C" __attribute__ ((visibility ("default")))

namespace bandmate::blas
{
namespace
{

// Values of the CBLAS interface.
constexpr int rowMajor = 101;
constexpr int noTranspose = 111;

using Sgemm32 = void (*) (int, int, int, int, int, int, float, const float*, int, const float*, int, float,
                          float*, int);
using Sgemm64 = void (*) (int, int, int, std::int64_t, std::int64_t, std::int64_t, float, const float*,
                          std::int64_t, const float*, std::int64_t, float, float*, std::int64_t);

Sgemm32 forward32 = nullptr;
Sgemm64 forward64 = nullptr;

// Elements of B worth waking a second thread for: some ten microseconds of one core.
constexpr std::int64_t shareFrom = 64 * 1024;
constexpr int partsPerThread = 4;
// Rows up to which two passes over B are quicker than the other library's way of copying it first.
constexpr int ownRows = 2 * mostRows;
constexpr int columnsPerStep = 16;
// The same for products that the other library computes: multiplications, and rows or columns of a part.
constexpr std::int64_t shareWorkFrom = 1 << 20;
constexpr int rowsPerStep = 32;

const KernelChoice& kernel()
{
    static const auto choice = chooseKernel();
    return choice;
}

std::unique_ptr<WorkerPool>& pool()
{
    // Never destroyed: its threads must not be joined while the process is being torn down.
    static auto* const instance = new std::unique_ptr<WorkerPool> (
        std::make_unique<WorkerPool> (static_cast<int> (std::thread::hardware_concurrency())));
    return *instance;
}

struct SharedProduct
{
    FewRows product;
    int rows;
    int columns;
    int columnsPerPart;
};

// All rows of the columns [first, last). Where one pass is too few for the rows, B is walked in steps that
// stay in the cache between the passes.
void compute (const FewRows& product, int rows, int first, int last)
{
    if (rows <= mostRows)
        return kernel().kernel (product, first, last);
    for (int from = first; from < last; from += columnsPerStep)
        for (int row = 0; row < rows; row += mostRows)
        {
            auto some = product;
            some.rows = std::min (mostRows, rows - row);
            some.a += row * product.aStride;
            some.c += row * product.cStride;
            kernel().kernel (some, from, std::min (last, from + columnsPerStep));
        }
}

void computePart (const void* context, int part)
{
    const auto& shared = *static_cast<const SharedProduct*> (context);
    const int first = part * shared.columnsPerPart;
    compute (shared.product, shared.rows, first, std::min (shared.columns, first + shared.columnsPerPart));
}

void multiply (const FewRows& product, int rows, int columns)
{
    const auto elements = static_cast<std::int64_t> (product.depth) * columns;
    if (elements < shareFrom || pool()->threads() == 1)
        return compute (product, rows, 0, columns);

    const int parts = pool()->threads() * partsPerThread;
    const int steps = (columns + columnsPerStep - 1) / columnsPerStep;
    const int perPart = ((steps + parts - 1) / parts) * columnsPerStep;
    const SharedProduct shared{product, rows, columns, perPart};
    pool()->run (computePart, &shared, (columns + perPart - 1) / perPart);
}

// One product of the other library; strides as CBLAS has them.
struct Forwarded
{
    int transA, transB, m, n, k;
    float alpha;
    const float* a;
    int lda;
    const float* b;
    int ldb;
    float beta;
    float* c;
    int ldc;
};

void callOther (const Forwarded& f)
{
    if (forward32 != nullptr)
        forward32 (rowMajor, f.transA, f.transB, f.m, f.n, f.k, f.alpha, f.a, f.lda, f.b, f.ldb, f.beta, f.c,
                   f.ldc);
    else
        forward64 (rowMajor, f.transA, f.transB, f.m, f.n, f.k, f.alpha, f.a, f.lda, f.b, f.ldb, f.beta, f.c,
                   f.ldc);
}

struct SharedForward
{
    Forwarded whole;
    bool byRows;
    int perPart;
};

void forwardPart (const void* context, int part)
{
    const auto& shared = *static_cast<const SharedForward*> (context);
    auto f = shared.whole;
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t> (part) * shared.perPart;
    if (shared.byRows)
    {
        f.m = std::min (shared.perPart, f.m - static_cast<int> (first));
        f.a += f.transA == noTranspose ? first * f.lda : first;
        f.c += first * f.ldc;
    }
    else
    {
        f.n = std::min (shared.perPart, f.n - static_cast<int> (first));
        f.b += f.transB == noTranspose ? first : first * f.ldb;
        f.c += first;
    }
    callOther (f);
}

// The other library computes with one thread; the parts are shared here. Libraries share by barriers at
// which all threads wait for the slowest, which a busy machine makes very slow.
void forward (const Forwarded& f)
{
    const auto work = static_cast<std::int64_t> (f.m) * f.n * f.k;
    const int threads = pool()->threads();
    if (threads == 1 || work < shareWorkFrom)
        return callOther (f);
    const bool byRows = f.m >= f.n;
    const int size = byRows ? f.m : f.n;
    const int steps = (size + rowsPerStep - 1) / rowsPerStep;
    const int parts = threads * partsPerThread;
    const int perPart = ((steps + parts - 1) / parts) * rowsPerStep;
    const SharedForward shared{f, byRows, perPart};
    pool()->run (forwardPart, &shared, (size + perPart - 1) / perPart);
}

} // namespace
} // namespace bandmate::blas

using namespace bandmate::blas;

BANDMATE_EXPORT void cblas_sgemm (int order, int transA, int transB, int m, int n, int k, float alpha,
                                  const float* a, int lda, const float* b, int ldb, float beta, float* c,
                                  int ldc)
{
    if (m <= 0 || n <= 0)
        return;
    // A column-major product is the row-major product of the transposes, in reverse order.
    if (order != rowMajor)
        return cblas_sgemm (rowMajor, transB, transA, n, m, k, alpha, b, ldb, a, lda, beta, c, ldc);

    if (m > ownRows && (forward32 != nullptr || forward64 != nullptr))
        return forward ({transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc});

    static thread_local std::vector<float> rows;
    if (transA != noTranspose)
    {
        rows.resize (static_cast<std::size_t> (m) * static_cast<std::size_t> (k));
        for (std::ptrdiff_t row = 0; row < m; ++row)
            for (std::ptrdiff_t i = 0; i < k; ++i)
                rows[static_cast<std::size_t> (row * k + i)] = a[i * lda + row];
    }
    const FewRows product{std::min (m, mostRows),
                          k,
                          transB != noTranspose,
                          transA == noTranspose ? a : rows.data(),
                          transA == noTranspose ? lda : k,
                          b,
                          ldb,
                          c,
                          ldc,
                          alpha,
                          beta};
    multiply (product, m, n);
}

// Where larger products go: a cblas_sgemm with 32- or 64-bit integers, which must be safe to call from
// several threads and should use one thread itself. Null: nowhere.
BANDMATE_EXPORT void bandmate_blas_forward (void* sgemm, int integerBits)
{
    forward32 = integerBits == 32 ? reinterpret_cast<Sgemm32> (sgemm) : nullptr;
    forward64 = integerBits == 64 ? reinterpret_cast<Sgemm64> (sgemm) : nullptr;
}

// Threads used for one product, the caller counted. Not while a product is running.
BANDMATE_EXPORT void bandmate_blas_set_threads (int threads)
{
    pool() = std::make_unique<WorkerPool> (std::max (1, threads));
}

BANDMATE_EXPORT const char* bandmate_blas_instruction_set()
{
    return kernel().instructionSet;
}

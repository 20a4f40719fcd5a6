// SPDX-License-Identifier: GPL-3.0-or-later
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "../blas/worker_pool.hpp"
#include "phase_integrator.hpp"

namespace nb = nanobind;
using bandmate::codec::PhaseIntegrator;

namespace
{

using Hops = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using HopsOut = nb::ndarray<float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using RowsOut = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Arrays of all streams; one stream's part is what its number says.
struct Frame
{
    std::size_t hops;
    const float* levels; // [streams, hops, bins]
    const float* noise;  // [streams, hops, bins]
    const float* before; // [streams, bins], as the two after it
    const float* phase_before;
    const float* gradient_before;
    float* phases;    // [streams, hops, bins]
    float* gradients; // [streams, bins]
};

class Integrator
{
public:
    Integrator (std::size_t bins, double hop, double transform, double gamma, float range, double window,
                float rise, float fall, int threads)
        : geometry{bins, hop, transform, gamma, range, window, rise, fall}, pool (std::max (1, threads))
    {
        if (bins < 3 || hop <= 0 || transform <= 0 || gamma <= 0 || window <= 0 || rise <= 0 || fall <= 0)
            throw std::invalid_argument ("PhaseIntegrator: needs 3 bins or more and positive sizes");
    }

    void integrate (Hops levels, Hops noise, Rows before, Rows phase_before, Rows gradient_before,
                    HopsOut phases, RowsOut gradients)
    {
        const auto streams = levels.shape (0);
        const auto hops = levels.shape (1);
        const auto many = [&] (const auto& array)
        {
            return array.shape (0) == streams && array.shape (1) == hops && array.shape (2) == geometry.bins;
        };
        const auto one = [&] (const auto& array)
        {
            return array.shape (0) == streams && array.shape (1) == geometry.bins;
        };
        if (!many (levels) || !many (noise) || !many (phases) || !one (before) || !one (phase_before) ||
            !one (gradient_before) || !one (gradients))
            throw std::invalid_argument ("PhaseIntegrator: levels, noise and phases must be [streams, hops, "
                                         "bins], the others [streams, bins]");
        const Frame given{hops,          levels.data(),       noise.data(),
                          before.data(), phase_before.data(), gradient_before.data(),
                          phases.data(), gradients.data()};
        nb::gil_scoped_release release;
        const std::lock_guard lock (busy);
        frame = given;
        while (cores.size() < streams)
            cores.emplace_back (geometry);
        pool.run (integrateOne, this, static_cast<int> (streams));
    }

private:
    static void integrateOne (const void* self, int stream)
    {
        auto& owner = *static_cast<Integrator*> (const_cast<void*> (self));
        const auto& f = owner.frame;
        const auto bins = owner.geometry.bins;
        const auto i = static_cast<std::size_t> (stream);
        owner.cores[i].run (f.levels + i * f.hops * bins, f.noise + i * f.hops * bins, f.before + i * bins,
                            f.phase_before + i * bins, f.gradient_before + i * bins, f.hops,
                            f.phases + i * f.hops * bins, f.gradients + i * bins);
    }

    PhaseIntegrator::Geometry geometry;
    bandmate::blas::WorkerPool pool;
    std::mutex busy;                    // guards the two below
    std::vector<PhaseIntegrator> cores; // one of each stream: they keep scratch memory
    Frame frame{};
};

} // namespace

NB_MODULE (_codec, m)
{
    m.doc() = "Phase gradient heap integration for the magnitude codec.";
    nb::class_<Integrator> (m, "PhaseIntegrator")
        .def (nb::init<std::size_t, double, double, double, float, double, float, float, int>(),
              nb::arg ("bins"), nb::arg ("hop"), nb::arg ("transform"), nb::arg ("gamma"), nb::arg ("range"),
              nb::arg ("window"), nb::arg ("rise"), nb::arg ("fall"), nb::arg ("threads"))
        .def ("integrate", &Integrator::integrate, nb::arg ("levels").noconvert(),
              nb::arg ("noise").noconvert(), nb::arg ("before").noconvert(),
              nb::arg ("phase_before").noconvert(), nb::arg ("gradient_before").noconvert(),
              nb::arg ("phases").noconvert(), nb::arg ("gradients").noconvert(),
              "Writes phases [streams, hops, bins] of a run of hops and gradients [streams, bins] of the "
              "last.");
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "phase_integrator.hpp"

namespace nb = nanobind;
using bandmate::codec::PhaseIntegrator;

namespace
{

using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Row = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Result = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

Result owned (float* data, std::size_t rows, std::size_t columns)
{
    nb::capsule owner (data, [] (void* p) noexcept { delete[] static_cast<float*> (p); });
    return Result (data, {rows, columns}, owner);
}

class Integrator
{
public:
    Integrator (std::size_t bins, double hop, double transform, double gamma, float range)
        : bin_count (bins), core ({bins, hop, transform, gamma, range})
    {
        if (bins < 3 || hop <= 0 || transform <= 0 || gamma <= 0)
            throw std::invalid_argument ("PhaseIntegrator: needs 3 bins or more and positive sizes");
    }

    // levels [hops + 2, bins]: the hop before, the hops, the hop after.
    nb::tuple integrate (Rows levels, Row phase_before, Row time_before, Rows noise)
    {
        const auto hops = noise.shape (0);
        if (levels.shape (0) != hops + 2 || levels.shape (1) != bin_count || noise.shape (1) != bin_count ||
            phase_before.shape (0) != bin_count || time_before.shape (0) != bin_count)
            throw std::invalid_argument ("PhaseIntegrator: levels must be [hops + 2, bins], noise "
                                         "[hops, bins], phase and time gradient [bins]");
        auto* phases = new float[hops * bin_count];
        auto* gradients = new float[hops * bin_count];
        auto phase_array = owned (phases, hops, bin_count);
        auto gradient_array = owned (gradients, hops, bin_count);
        {
            nb::gil_scoped_release release;
            const float* phase = phase_before.data();
            const float* gradient = time_before.data();
            for (std::size_t h = 0; h < hops; ++h)
            {
                const float* row = levels.data() + h * bin_count;
                core.step (row, row + bin_count, row + 2 * bin_count, phase, gradient,
                           noise.data() + h * bin_count, phases + h * bin_count, gradients + h * bin_count);
                phase = phases + h * bin_count;
                gradient = gradients + h * bin_count;
            }
        }
        return nb::make_tuple (phase_array, gradient_array);
    }

private:
    std::size_t bin_count;
    PhaseIntegrator core;
};

} // namespace

NB_MODULE (_codec, m)
{
    m.doc() = "Phase gradient heap integration for the magnitude codec.";
    nb::class_<Integrator> (m, "PhaseIntegrator")
        .def (nb::init<std::size_t, double, double, double, float>(), nb::arg ("bins"), nb::arg ("hop"),
              nb::arg ("transform"), nb::arg ("gamma"), nb::arg ("range"))
        .def ("integrate", &Integrator::integrate, nb::arg ("levels"), nb::arg ("phase_before"),
              nb::arg ("time_before"), nb::arg ("noise"),
              "Phases and time gradients, both [hops, bins] float32, of a run of hops.");
}

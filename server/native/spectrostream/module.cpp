// SPDX-License-Identifier: GPL-3.0-or-later
// bandmate._spectrostream: SpectroStream's decoder on plain CPUs (see decoder.hpp).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "decoder.hpp"

namespace nb = nanobind;
using namespace bandmate::spectrostream;

namespace
{

using Floats = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using FloatsOut = nb::ndarray<float, nb::c_contig, nb::device::cpu>;

int positive (int value, const char* name)
{
    if (value < 1)
        throw std::invalid_argument (std::string (name) + " must be positive");
    return value;
}

// The kernel 'name' [phases, time, bins, inputs, outputs] and 'name.bias' [outputs], checked against the
// channels that come in and the phases.
struct Found
{
    Found (const nb::dict& arrays, const std::string& name, int inputs, int phases)
        : kernel (nb::cast<Floats> (item (arrays, name), false)),
          bias (nb::cast<Floats> (item (arrays, name + ".bias"), false))
    {
        if (kernel.ndim() != 5 || kernel.shape (0) != static_cast<std::size_t> (phases) ||
            kernel.shape (3) != static_cast<std::size_t> (inputs) || kernel.size() == 0 || bias.ndim() != 1 ||
            bias.shape (0) != kernel.shape (4))
            throw std::invalid_argument ("'" + name + "' has the wrong shape");
        shape.kernelTime = static_cast<int> (kernel.shape (1));
        shape.kernelBins = static_cast<int> (kernel.shape (2));
        shape.inputs = inputs;
        shape.outputs = static_cast<int> (kernel.shape (4));
        shape.left = (shape.kernelBins - 1) / 2;
        shape.right = shape.kernelBins - 1 - shape.left;
    }

    static nb::handle item (const nb::dict& arrays, const std::string& name)
    {
        if (!arrays.contains (name.c_str()))
            throw std::invalid_argument ("'" + name + "' is missing");
        return PyDict_GetItemString (arrays.ptr(), name.c_str());
    }

    Floats kernel;
    Floats bias;
    Shape shape;
};

class Module
{
public:
    // strides: (time, frequency, places cut off) of each block.
    Module (nb::dict arrays, int sides, int bins, std::vector<std::tuple<int, int, int>> strides, int threads)
        : decoder ({positive (sides, "sides"), positive (bins, "bins")}, threads)
    {
        const auto embedding = nb::cast<Floats> (Found::item (arrays, "input"), false);
        const int width = embedding.ndim() == 5 ? static_cast<int> (embedding.shape (3)) : 0;
        decoder.input = plain (arrays, "input", width);
        decoder.inputFirst = plain (arrays, "input_first", width);
        decoder.inputSecond = plain (arrays, "input_second", decoder.inputFirst->shape.outputs);
        const int flat = decoder.input->shape.outputs;
        if (decoder.inputSecond->shape.outputs != flat || flat % bins != 0)
            throw std::invalid_argument ("the input layer's sizes do not fit");
        int channels = flat / bins;
        decoder.residual.first = plain (arrays, "residual.first", channels);
        decoder.residual.second = plain (arrays, "residual.second", decoder.residual.first->shape.outputs);
        same (decoder.residual.second->shape.outputs, channels, "residual.second");
        for (std::size_t i = 0; i < strides.size(); ++i)
            channels = addBlock (arrays, "up." + std::to_string (i), channels, strides[i]);
        const Found found (arrays, "last", channels, 1);
        same (found.shape.outputs, parts, "last");
        decoder.last = std::make_unique<LastConvolution> (decoder.kernel, found.shape, found.kernel.data(),
                                                          found.bias.data());
    }

    // For each array of the state: items of a session, past frames, positions, channels.
    std::vector<std::vector<int>> pasts() const
    {
        std::vector<std::vector<int>> out;
        for (const auto& past : decoder.pasts())
            out.push_back ({past.sides, past.frames, past.bins, past.channels});
        return out;
    }

    void frame (Floats embedding, std::vector<Floats> before, std::vector<FloatsOut> after,
                FloatsOut spectrogram)
    {
        const auto width = static_cast<std::size_t> (decoder.inputs());
        const auto sessions = embedding.size() / width;
        const auto out = static_cast<std::size_t> (decoder.framesOut() * decoder.binsOut() * parts) *
                         static_cast<std::size_t> (decoder.sizes.sides);
        const auto pasts = decoder.pasts();
        if (sessions < 1 || embedding.size() != sessions * width || before.size() != pasts.size() ||
            after.size() != pasts.size() || spectrogram.size() != sessions * out)
            throw std::invalid_argument ("an array of the frame has the wrong size");
        std::vector<const float*> from;
        std::vector<float*> to;
        for (std::size_t i = 0; i < pasts.size(); ++i)
        {
            const auto& past = pasts[i];
            const auto size = sessions * static_cast<std::size_t> (past.sides * past.frames * past.bins) *
                              static_cast<std::size_t> (past.channels);
            if (before[i].size() != size || after[i].size() != size)
                throw std::invalid_argument ("an array of the state has the wrong size");
            from.push_back (before[i].data());
            to.push_back (after[i].data());
        }
        const nb::gil_scoped_release released;
        decoder.run (embedding.data(), static_cast<int> (sessions), from, to, spectrogram.data());
    }

private:
    std::unique_ptr<Convolution> plain (const nb::dict& arrays, const std::string& name, int inputs) const
    {
        const Found found (arrays, name, inputs, 1);
        return std::make_unique<Convolution> (decoder.kernel, found.shape, found.kernel.data(),
                                              found.bias.data());
    }

    static void same (int found, int wanted, const std::string& name)
    {
        if (found != wanted)
            throw std::invalid_argument ("'" + name + "' has the wrong shape");
    }

    // Returns the channels of what comes out for one side.
    int addBlock (const nb::dict& arrays, const std::string& name, int channels,
                  const std::tuple<int, int, int>& stride)
    {
        const auto [time, bins, cut] = stride;
        Found found (arrays, name + ".first", channels,
                     positive (time, "strides") * positive (bins, "strides"));
        found.shape.strideTime = time;
        found.shape.strideBins = bins;
        found.shape.cut = cut;
        found.shape.left = found.shape.right = found.shape.kernelBins - 1;
        Block block;
        block.first = std::make_unique<Convolution> (decoder.kernel, found.shape, found.kernel.data(),
                                                     found.bias.data());
        block.second = plain (arrays, name + ".second", found.shape.outputs);
        const int width = block.second->shape.outputs;
        if (arrays.contains ((name + ".shortcut").c_str()))
            block.shortcut = plain (arrays, name + ".shortcut", channels);
        same (block.shortcut ? block.shortcut->shape.outputs : channels, width, name);
        const int own = decoder.up.empty() ? width / decoder.sizes.sides : width;
        decoder.up.push_back (std::move (block));
        return own;
    }

    Decoder decoder;
};

} // namespace

NB_MODULE (_spectrostream, m)
{
    m.def ("instruction_set", [] { return std::string (kernels().instructionSet); });
    nb::class_<Module> (m, "Decoder")
        .def (nb::init<nb::dict, int, int, std::vector<std::tuple<int, int, int>>, int>(), nb::arg ("arrays"),
              nb::arg ("sides"), nb::arg ("bins"), nb::arg ("strides"), nb::arg ("threads"))
        .def ("pasts", &Module::pasts)
        .def ("frame", &Module::frame, nb::arg ("embedding"), nb::arg ("before"), nb::arg ("after"),
              nb::arg ("spectrogram"));
}

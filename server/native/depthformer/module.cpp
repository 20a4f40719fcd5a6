// SPDX-License-Identifier: GPL-3.0-or-later
// bandmate._depthformer: one frame of the language model on plain CPUs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "runner.hpp"

namespace nb = nanobind;
using namespace bandmate::depthformer;

namespace
{

using Array = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Ids = nb::ndarray<const std::int32_t, nb::c_contig, nb::device::cpu>;
using FloatsOut = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using IdsOut = nb::ndarray<std::int32_t, nb::c_contig, nb::device::cpu>;

// Takes arrays out of a dictionary by name and checks their sizes. The dictionary must outlive them.
class Arrays
{
public:
    explicit Arrays (nb::dict from) : dict (from) {}

    // An array, or a tuple of three: bytes, scales and biases.
    Matrix matrix (const std::string& name, int outputs = -1, int inputs = -1) const
    {
        const auto found = item (name);
        const bool quantised = nb::isinstance<nb::tuple> (found);
        if (quantised && nb::len (found) != 3)
            throw std::invalid_argument ("matrix '" + name + "' must be an array or three");
        const auto array = nb::cast<Array> (quantised ? nb::handle (found[0].ptr()) : found, false);
        if (array.ndim() != 2 || (outputs >= 0 && array.shape (0) != static_cast<std::size_t> (outputs)) ||
            (inputs >= 0 && array.shape (1) != static_cast<std::size_t> (inputs)))
            throw std::invalid_argument ("matrix '" + name + "' has the wrong shape");
        Matrix out{array.data(), static_cast<int> (array.shape (0)), static_cast<int> (array.shape (1))};
        if (quantised)
        {
            addGroups (out, name, nb::cast<nb::tuple> (found));
            if (array.dtype() != nb::dtype<std::uint8_t>())
                throw std::invalid_argument ("matrix '" + name + "' must be of bytes");
        }
        else if (array.dtype() == nb::dtype<std::uint16_t>())
            out.form = Form::bfloat16;
        else if (array.dtype() != nb::dtype<float>())
            throw std::invalid_argument ("matrix '" + name + "' must be float32, or bfloat16 seen as uint16");
        return out;
    }

    const float* vector (const std::string& name, int size) const
    {
        const auto array = nb::cast<Floats> (item (name), false);
        if (array.ndim() != 1 || array.shape (0) != static_cast<std::size_t> (size))
            throw std::invalid_argument ("vector '" + name + "' has the wrong size");
        return array.data();
    }

    // Of shape [first, second, last]; `last` is told.
    const float* values (const std::string& name, int first, int second, int& last) const
    {
        const auto array = nb::cast<Floats> (item (name), false);
        if (array.ndim() != 3 || array.shape (0) != static_cast<std::size_t> (first) ||
            array.shape (1) != static_cast<std::size_t> (second) || array.shape (2) < 1)
            throw std::invalid_argument ("'" + name + "' has the wrong shape");
        last = static_cast<int> (array.shape (2));
        return array.data();
    }

    const std::int32_t* ids (const std::string& name, int size) const
    {
        const auto array = nb::cast<Ids> (item (name), false);
        if (array.ndim() != 1 || array.shape (0) != static_cast<std::size_t> (size))
            throw std::invalid_argument ("'" + name + "' has the wrong size");
        return array.data();
    }

    bool has (const std::string& name) const { return dict.contains (name.c_str()); }

private:
    static void addGroups (Matrix& matrix, const std::string& name, const nb::tuple& parts)
    {
        const auto scales = nb::cast<Floats> (parts[1], false);
        const auto biases = nb::cast<Floats> (parts[2], false);
        for (const auto& array : {scales, biases})
            if (array.ndim() != 2 || array.shape (0) != static_cast<std::size_t> (matrix.outputs) ||
                array.shape (1) != scales.shape (1))
                throw std::invalid_argument ("the groups of '" + name + "' have the wrong shape");
        matrix.form = Form::quantised;
        matrix.groups = static_cast<int> (scales.shape (1));
        if (matrix.groups < 1 || matrix.inputs % (matrix.groups * groupMultiple) != 0)
            throw std::invalid_argument ("the groups of '" + name + "' have the wrong size");
        matrix.scales = scales.data();
        matrix.biases = biases.data();
    }

    nb::handle item (const std::string& name) const
    {
        if (!has (name))
            throw std::invalid_argument ("'" + name + "' is missing");
        return PyDict_GetItemString (dict.ptr(), name.c_str());
    }

    nb::dict dict;
};

int number (nb::dict sizes, const char* name)
{
    if (!sizes.contains (name))
        throw std::invalid_argument (std::string ("size '") + name + "' is missing");
    const int value = nb::cast<int> (sizes[name]);
    if (value < 1)
        throw std::invalid_argument (std::string ("size '") + name + "' must be positive");
    return value;
}

Attention attention (const Arrays& arrays, const std::string& name, const Stack& stack, int source)
{
    const int inner = stack.heads * stack.headDim;
    Attention out;
    out.pre = arrays.vector (name + ".pre", stack.width);
    out.post = arrays.vector (name + ".post", stack.width);
    out.projection = arrays.matrix (name + ".projection", source > 0 ? inner : 3 * inner, stack.width);
    if (source > 0)
        out.source = arrays.matrix (name + ".source", 2 * inner, source);
    out.output = arrays.matrix (name + ".output", stack.width, inner);
    if (arrays.has (name + ".scale"))
        out.scale = arrays.vector (name + ".scale", stack.headDim);
    return out;
}

Stack stack (const Arrays& arrays, nb::dict sizes, const std::string& name, int source)
{
    Stack out;
    out.width = number (sizes, (name + "_width").c_str());
    out.heads = number (sizes, (name + "_heads").c_str());
    out.headDim = number (sizes, (name + "_head_dim").c_str());
    const int count = number (sizes, (name + "_layers").c_str());
    for (int i = 0; i < count; ++i)
    {
        const auto layer = name + "." + std::to_string (i);
        Layer one;
        one.self = attention (arrays, layer + ".self", out, 0);
        if (source > 0)
            one.cross = attention (arrays, layer + ".cross", out, source);
        auto& forward = one.feedForward;
        forward.pre = arrays.vector (layer + ".ffn.pre", out.width);
        forward.post = arrays.vector (layer + ".ffn.post", out.width);
        forward.first = arrays.matrix (layer + ".ffn.first", -1, out.width);
        forward.firstBias = arrays.vector (layer + ".ffn.first_bias", forward.first.outputs);
        forward.second = arrays.matrix (layer + ".ffn.second", out.width, forward.first.outputs);
        forward.secondBias = arrays.vector (layer + ".ffn.second_bias", out.width);
        out.layers.push_back (one);
    }
    return out;
}

Model build (nb::dict sizes, const Arrays& arrays, float softCap, float epsilon)
{
    Model m;
    m.channels = number (sizes, "channels");
    m.styleLevels = number (sizes, "style_levels");
    m.encoderWidth = number (sizes, "encoder_width");
    m.codebooks = number (sizes, "codebooks");
    m.codebookSize = number (sizes, "codebook_size");
    m.reserved = number (sizes, "reserved");
    m.window = number (sizes, "window");
    m.crossWindow = number (sizes, "cross_window");
    m.softCap = softCap;
    m.epsilon = epsilon;
    m.rowOffsets = arrays.ids ("row_offsets", m.channels);
    m.styleTable = arrays.matrix ("style_table");
    m.styleAdapter = arrays.matrix ("style_adapter", m.encoderWidth, m.styleTable.inputs);
    m.regularTable = arrays.matrix ("regular_table", -1, m.encoderWidth);
    m.encoderScale = arrays.vector ("encoder_scale", m.encoderWidth);
    m.encoderBias = arrays.vector ("encoder_bias", m.encoderWidth);
    m.temporal = stack (arrays, sizes, "temporal", m.encoderWidth);
    m.depth = stack (arrays, sizes, "depth", 0);
    m.codeTable = arrays.matrix ("code_table", m.reserved + m.codebooks * m.codebookSize, m.temporal.width);
    if (arrays.has ("depth_adapter"))
        m.depthAdapter = arrays.matrix ("depth_adapter", m.depth.width, m.temporal.width);
    else if (m.depth.width != m.temporal.width)
        throw std::invalid_argument ("'depth_adapter' is missing");
    if (arrays.has ("depth_past_adapter"))
        m.depthPastAdapter = arrays.matrix ("depth_past_adapter", m.depth.width, m.temporal.width);
    m.depthScale = arrays.vector ("depth_scale", m.depth.width);
    m.depthBias = arrays.vector ("depth_bias", m.depth.width);
    if (arrays.has ("code_values"))
        m.codeValues = arrays.values ("code_values", m.codebooks, m.codebookSize, m.valueDims);
    if (m.codeValues != nullptr)
        m.codeLevels = arrays.vector ("code_levels", m.codebooks * m.codebookSize);
    for (int k = 0; k < m.codebooks; ++k)
    {
        const auto index = std::to_string (k);
        m.heads.push_back (arrays.matrix ("head." + index, m.codebookSize, m.depth.width));
        m.headBiases.push_back (arrays.vector ("head_bias." + index, m.codebookSize));
    }
    return m;
}

class Depthformer
{
public:
    Depthformer (nb::dict sizes, nb::dict arrays, float softCap, float epsilon, int threads)
        : kept (arrays), runner (build (sizes, Arrays (arrays), softCap, epsilon), threads)
    {
    }

    void frame (Ids tokens, Floats noise, Floats temperature, Ids topK, Floats scales, Ids previous,
                Ids frames, Ids last, Floats hold, Floats rise, std::vector<Floats> before,
                std::vector<FloatsOut> after, IdsOut codes, IdsOut next, std::optional<Floats> shares,
                std::optional<FloatsOut> temporalOut, std::optional<FloatsOut> logits)
    {
        const auto& m = runner.model();
        Frame f;
        f.sessions = static_cast<int> (temperature.size());
        const auto rows = previous.ndim() == 2 ? previous.shape (0) : 0;
        f.rows = f.sessions > 0 ? static_cast<int> (rows) / f.sessions : 0;
        const auto books = static_cast<std::size_t> (m.codebooks);
        const auto sessions = static_cast<std::size_t> (f.sessions);
        const bool fits = (f.rows == 1 || (shares ? f.rows > 1 : f.rows == 3)) &&
                          rows == sessions * static_cast<std::size_t> (f.rows) &&
                          tokens.size() == rows * static_cast<std::size_t> (m.channels) &&
                          noise.size() == sessions * books * static_cast<std::size_t> (m.codebookSize) &&
                          topK.size() == sessions && scales.size() == sessions * 2 &&
                          previous.size() == rows * books && frames.size() == rows &&
                          last.size() == previous.size() && hold.size() == sessions &&
                          rise.size() == sessions && (!shares || shares->size() == rows) &&
                          codes.size() == sessions * books && next.size() == rows * books;
        const auto layers = m.temporal.layers.size();
        if (!fits || before.size() != 4 * layers || after.size() != 4 * layers)
            throw std::invalid_argument ("an array of the frame has the wrong size");
        checkIds (tokens, previous, rows);
        const auto perPosition = rows * static_cast<std::size_t> (m.temporal.heads * m.temporal.headDim);
        for (std::size_t i = 0; i < layers; ++i)
        {
            f.self.push_back (
                cache (before, after, 2 * i, perPosition * static_cast<std::size_t> (m.window + 1)));
            f.cross.push_back (cache (before, after, 2 * (layers + i),
                                      perPosition * static_cast<std::size_t> (m.crossWindow + 1)));
        }
        f.tokens = tokens.data();
        f.previous = previous.data();
        f.frames = frames.data();
        f.last = last.data();
        f.hold = hold.data();
        f.rise = rise.data();
        f.noise = noise.data();
        f.temperature = temperature.data();
        f.topK = topK.data();
        f.scales = scales.data();
        f.shares = shares ? shares->data() : nullptr;
        f.codes = codes.data();
        f.next = next.data();
        const auto codeLogits = books * rows * static_cast<std::size_t> (m.codebookSize);
        f.temporalOut = watched (temporalOut, rows * static_cast<std::size_t> (m.temporal.width));
        f.logits = watched (logits, codeLogits);
        const nb::gil_scoped_release released;
        runner.run (f);
    }

private:
    void checkIds (const Ids& tokens, const Ids& previous, std::size_t rows) const
    {
        const auto& m = runner.model();
        for (std::size_t row = 0; row < rows; ++row)
            for (int c = 0; c < m.channels; ++c)
            {
                const int id =
                    tokens
                        .data()[row * static_cast<std::size_t> (m.channels) + static_cast<std::size_t> (c)] +
                    m.rowOffsets[c];
                const auto& table = c < m.styleLevels ? m.styleTable : m.regularTable;
                if (id < 0 || id >= table.outputs)
                    throw std::invalid_argument ("a conditioning id is out of range");
            }
        for (std::size_t i = 0; i < previous.size(); ++i)
            if (previous.data()[i] < 0 || previous.data()[i] >= m.codeTable.outputs)
                throw std::invalid_argument ("a previous code is out of range");
    }

    static float* watched (const std::optional<FloatsOut>& array, std::size_t size)
    {
        if (array && array->size() != size)
            throw std::invalid_argument ("an array for comparisons has the wrong size");
        return array ? array->data() : nullptr;
    }

    static Cache cache (const std::vector<Floats>& before, const std::vector<FloatsOut>& after,
                        std::size_t at, std::size_t size)
    {
        for (std::size_t i = at; i < at + 2; ++i)
            if (before[i].size() != size || after[i].size() != size)
                throw std::invalid_argument ("a cache has the wrong size");
        return {before[at].data(), before[at + 1].data(), after[at].data(), after[at + 1].data()};
    }

    nb::dict kept; // owns what the model points into
    Runner runner;
};

} // namespace

NB_MODULE (_depthformer, m)
{
    m.def ("instruction_set", [] { return std::string (kernels().instructionSet); });
    nb::class_<Depthformer> (m, "Depthformer")
        .def (nb::init<nb::dict, nb::dict, float, float, int>(), nb::arg ("sizes"), nb::arg ("arrays"),
              nb::arg ("soft_cap"), nb::arg ("epsilon"), nb::arg ("threads"))
        .def ("frame", &Depthformer::frame, nb::arg ("tokens"), nb::arg ("noise"), nb::arg ("temperature"),
              nb::arg ("top_k"), nb::arg ("scales"), nb::arg ("previous"), nb::arg ("frames"),
              nb::arg ("last"), nb::arg ("hold"), nb::arg ("rise"), nb::arg ("before"), nb::arg ("after"),
              nb::arg ("codes"), nb::arg ("next"), nb::arg ("shares") = nb::none(),
              nb::arg ("temporal_out") = nb::none(), nb::arg ("logits") = nb::none());
}

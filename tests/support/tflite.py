# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes small TFLite files, for tests of code that runs large ones."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FLOAT, INT = schema.TensorType.FLOAT32, schema.TensorType.INT32


class TfliteWriter:
    """A graph of a few operators, one subgraph, weights as constants."""

    def __init__(self) -> None:
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.buffers = [schema.BufferT()]
        self._model.operatorCodes = []
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._graph.inputs = []
        self._model.subgraphs = [self._graph]

    def tensor(
        self, shape: tuple[int, ...], kind: int = FLOAT, data: np.ndarray | None = None
    ) -> int:
        """Adds a tensor; with data it is a constant."""
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), kind, 0
        tensor.name = f"t{len(self._graph.tensors)}"
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def input(self, size: int, kind: int = FLOAT) -> int:
        """Adds an input [1, size]."""
        index = self.tensor((1, size), kind)
        self._graph.inputs.append(index)
        return index

    def product(self, source: int, weights: np.ndarray) -> int:
        """weights [out, in] times a tensor [1, in]."""
        matrix = self.tensor(weights.shape, FLOAT, weights.astype(np.float32))
        options = schema.FullyConnectedOptionsT()
        kind = schema.BuiltinOptions.FullyConnectedOptions
        operator = schema.BuiltinOperator.FULLY_CONNECTED
        return self._operator(operator, [source, matrix], (1, len(weights)), FLOAT, kind, options)

    def cast(self, source: int, size: int, kind: int) -> int:
        """A tensor [1, size] in another type."""
        options = schema.CastOptionsT()
        options.inDataType = self._graph.tensors[source].type
        options.outDataType = kind
        operator = schema.BuiltinOperator.CAST
        return self._operator(
            operator, [source], (1, size), kind, schema.BuiltinOptions.CastOptions, options
        )

    def add(self, one: int, other: int, size: int) -> int:
        """The sum of two tensors [1, size]."""
        return self._operator(
            schema.BuiltinOperator.ADD,
            [one, other],
            (1, size),
            FLOAT,
            schema.BuiltinOptions.AddOptions,
            schema.AddOptionsT(),
        )

    def _operator(self, code, inputs, shape, kind, options_kind, options) -> int:
        entry = schema.OperatorCodeT()
        entry.builtinCode = entry.deprecatedBuiltinCode = code
        entry.version = 1
        self._model.operatorCodes.append(entry)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs = inputs
        operator.outputs = [self.tensor(shape, kind)]
        operator.builtinOptionsType, operator.builtinOptions = options_kind, options
        self._graph.operators.append(operator)
        return operator.outputs[0]

    def write(self, path: Path, output: int) -> None:
        """Writes the file; `output` is the graph's result."""
        self._graph.outputs = [output]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))

# SPDX-License-Identifier: GPL-3.0-or-later
"""The decoder on plain CPUs, as one native call a frame.

Through MLX each convolution is copied into a matrix first and its results are laid out afterwards,
which takes as long as the products. The MLX decoder remains the definition, and decodes clips and
runs on other devices; tests hold the two together.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.mrt2.spectrostream.convolution import cut_positions, phase_kernels
from bandmate.models.mrt2.spectrostream.spec import SpectroStreamSpec
from bandmate.models.mrt2.spectrostream.transform import Transform
from bandmate.models.threads import threads

try:
    from bandmate import _spectrostream
except ImportError:  # not built: MLX does it all
    _spectrostream = None  # type: ignore[assignment]

Floats = NDArray[np.float32]


def usable() -> bool:
    """Whether models run on a CPU here, and the native decoder is built."""
    return _spectrostream is not None and mx.default_device() == mx.Device(mx.cpu)


class NativeDecoder:
    """As `decoder.Decoder`, one frame at a time, with its state in numpy arrays."""

    def __init__(self, spec: SpectroStreamSpec, tensors: MutableMapping[str, mx.array]):
        """`tensors`: named from below the decoder's prefix, checked by the caller. They are copied
        and removed from the mapping, so that they can be freed on the way."""
        self.spec = spec
        arrays: dict[str, Floats] = {}

        def add(name: str, source: str, stride: tuple[int, int] | None = None) -> None:
            kernel = tensors.pop(f"{source}/conv/kernel").astype(mx.float32)
            kernel = kernel[None] if stride is None else phase_kernels(kernel, stride)
            kernel = kernel.reshape(-1, *kernel.shape[-4:])
            arrays[name] = np.array(mx.contiguous(kernel))
            arrays[f"{name}.bias"] = np.array(tensors.pop(f"{source}/conv/bias").astype(mx.float32))

        add("input", "input_layer/conv1x1_first")
        add("input_first", "input_layer/shortcut_layer/conv1x1_b1")
        add("input_second", "input_layer/shortcut_layer/conv1x1_b2")
        add("residual.first", "input_layers_residual_unit/conv2d_3x3_a")
        add("residual.second", "input_layers_residual_unit/conv2d_3x3")
        strides = []
        for index, block in enumerate(spec.decoder_blocks()):
            add(
                f"up.{index}.first",
                f"{block.name}/conv2dtranspose_{block.kernel_name}",
                block.stride,
            )
            add(f"up.{index}.second", f"{block.name}/conv2d_3x3")
            if block.source != block.width:
                add(f"up.{index}.shortcut", f"{block.name}/shortcut_layer/conv1x1")
            strides.append((*block.stride, cut_positions(block.kernel[1], block.stride[1])))
        add("last", "output_layer/base_conv_last")
        self._native = _spectrostream.Decoder(
            arrays, spec.audio_channels, spec.narrow_bins, strides, threads()
        )
        self._transform = Transform(spec)

    def init_state(self, batch: int) -> dict[str, Any]:
        """As `Decoder.init_state`."""
        arrays = [
            np.zeros((batch * sides, *past), np.float32) for sides, *past in self._native.pasts()
        ]
        return {
            **self._tree(arrays),
            "frames": np.zeros((batch,), np.int32),
            "tail": np.array(self._transform.init_state(batch)),
        }

    def __call__(
        self, embedding: mx.array, state: dict[str, Any]
    ) -> tuple[mx.array, dict[str, Any]]:
        """As `Decoder`, of one frame: embedding [batch, 1, embedding width]."""
        spec, batch = self.spec, embedding.shape[0]
        before = [*state["residual"], *(a for pair in state["up"] for a in pair), state["last"]]
        after = [np.empty_like(array) for array in before]
        shape = (batch, spec.hops_per_frame, spec.bins, 2 * spec.audio_channels)
        spectrogram = np.empty(shape, np.float32)
        self._native.frame(np.array(embedding), before, after, spectrogram)
        # What comes out before the lookahead has passed belongs to no frame.
        spectrogram[state["frames"] < spec.lookahead_frames] = 0.0
        audio, tail = self._transform.audio(mx.array(spectrogram), mx.array(state["tail"]))
        mx.eval(audio, tail)
        new = {"frames": state["frames"] + np.int32(1), "tail": np.array(tail)}
        return audio, {**self._tree(after), **new}

    @staticmethod
    def _tree(arrays: list[Floats]) -> dict[str, Any]:
        inner = arrays[2:-1]
        return {
            "residual": arrays[:2],
            "up": [[*pair] for pair in zip(inner[::2], inner[1::2], strict=True)],
            "last": arrays[-1],
        }

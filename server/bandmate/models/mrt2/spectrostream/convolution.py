# SPDX-License-Identifier: GPL-3.0-or-later
"""Causal convolutions that run on a whole clip or on a stream, by carrying what they have seen.

Layout is [batch, time, frequency, channels]. A convolution's state is the frames before its input,
zeros at the start; running on pieces gives what running on the whole gives.
"""

from __future__ import annotations

from collections.abc import Mapping

import mlx.core as mx

NARROW = 8  # output channels below which frequencies are grouped
GROUP = 16


class Conv:
    """A convolution: causal in time, centred in frequency, possibly strided."""

    def __init__(
        self, tensors: Mapping[str, mx.array], name: str, stride: tuple[int, int] = (1, 1)
    ):
        kernel = tensors[f"{name}/conv/kernel"].astype(mx.float32)
        self._stride = stride
        self._time, self._frequency = kernel.shape[:2]
        self._source, self._width = kernel.shape[2:]
        self._kernel = mx.contiguous(kernel.transpose(3, 0, 1, 2))
        narrow = stride == (1, 1) and self._width < NARROW
        self._grouped = _grouped(self._kernel) if narrow else None
        self._bias = tensors[f"{name}/conv/bias"].astype(mx.float32)
        mx.eval([array for array in (self._kernel, self._grouped, self._bias) if array is not None])

    @property
    def past(self) -> int:
        """Frames of the past that the state holds."""
        return self._time - self._stride[0]

    def init_state(self, batch: int, bins: int) -> mx.array:
        """Silence before the start, [batch, past, bins, channels in]."""
        return mx.zeros((batch, self.past, bins, self._source))

    def __call__(self, x: mx.array, state: mx.array) -> tuple[mx.array, mx.array]:
        """x [batch, T, F, in] -> [batch, T / stride, F / stride, out] and the new state.

        T and F must be multiples of the stride.
        """
        whole = mx.concatenate([state, x], axis=1)
        spare = max(self._frequency - self._stride[1], 0)
        left = spare // 2
        padded = mx.pad(whole, [(0, 0), (0, 0), (left, spare - left), (0, 0)])
        if self._grouped is not None and x.shape[2] % GROUP == 0:
            y = mx.conv2d(padded, self._grouped, stride=(1, GROUP))
            y = y.reshape(*x.shape[:3], self._width)
        else:
            y = mx.conv2d(padded, self._kernel, stride=self._stride)
        return y + self._bias, whole[:, whole.shape[1] - self.past :]


def _grouped(kernel: mx.array) -> mx.array:
    """A kernel that computes GROUP neighbouring frequencies as channels of one position.

    Products with very few columns are slow out of proportion.

    Args:
        kernel: [out, time, frequency, in].

    Returns:
        [GROUP * out, time, frequency + GROUP - 1, in], to be used with a stride of GROUP.
    """
    shifted = [
        mx.pad(kernel, [(0, 0), (0, 0), (place, GROUP - 1 - place), (0, 0)])
        for place in range(GROUP)
    ]
    return mx.contiguous(mx.concatenate(shifted))


def phase_kernels(kernel: mx.array, stride: tuple[int, int]) -> mx.array:
    """A transposed convolution as plain ones, one for each output position within a stride.

    Args:
        kernel: [time, frequency, in, out], as it is stored.

    Returns:
        [stride, stride, taps in time, in frequency, in, out].
    """
    time, frequency, source, width = kernel.shape
    taps = (-(-time // stride[0]), -(-frequency // stride[1]))
    spare = [(0, t * s - k) for t, s, k in zip(taps, stride, kernel.shape, strict=False)]
    # Stored kernels are flipped: element [-1 - i, -1 - j] scatters an input to offset (i, j).
    scatter = mx.pad(kernel[::-1, ::-1], [*spare, (0, 0), (0, 0)])
    split = scatter.reshape(taps[0], stride[0], taps[1], stride[1], source, width)
    # Tap 0 meets the newest input: a correlation needs it last.
    return split[::-1, :, ::-1].transpose(1, 3, 0, 2, 4, 5)


def cut_positions(frequency: int, stride: int) -> int:
    """Frequencies that a transposed convolution leaves out at the start."""
    return (frequency - stride) // 2


class TransposedConv:
    """A transposed convolution, causal in time, computed as a plain one.

    Every output position within a stride is a convolution of its own over the input; computing
    them as channels and laying the channels out afterwards avoids scattering, and MLX multiplies
    plain convolutions much faster.
    """

    def __init__(self, tensors: Mapping[str, mx.array], name: str, stride: tuple[int, int]):
        kernel = tensors[f"{name}/conv/kernel"].astype(mx.float32)
        self._source, self._width = kernel.shape[2:]
        self._stride = stride
        self._cut = cut_positions(kernel.shape[1], stride[1])
        phases = phase_kernels(kernel, stride)
        self._taps = phases.shape[2:4]
        split = phases.transpose(0, 1, 5, 2, 3, 4)
        self._kernel = mx.contiguous(split.reshape(-1, *self._taps, self._source))
        self._bias = tensors[f"{name}/conv/bias"].astype(mx.float32)
        mx.eval(self._kernel, self._bias)

    def init_state(self, batch: int, bins: int) -> mx.array:
        """Silence before the start, [batch, taps - 1, bins, channels in]."""
        return mx.zeros((batch, self._taps[0] - 1, bins, self._source))

    def __call__(self, x: mx.array, state: mx.array) -> tuple[mx.array, mx.array]:
        """x [batch, T, F, in] -> [batch, T * stride, F * stride, out] and the new state."""
        batch, frames, bins, _ = x.shape
        whole = mx.concatenate([state, x], axis=1)
        side = self._taps[1] - 1
        y = mx.conv2d(mx.pad(whole, [(0, 0), (0, 0), (side, side), (0, 0)]), self._kernel)
        y = y.reshape(batch, frames, bins + side, *self._stride, self._width)
        y = y.transpose(0, 1, 3, 2, 4, 5)
        y = y.reshape(batch, frames * self._stride[0], -1, self._width)
        y = y[:, :, self._cut : self._cut + bins * self._stride[1]] + self._bias
        return y, whole[:, frames:]


class OverlapAdd(TransposedConv):
    """The same convolution with the outputs that are not yet complete as its state, which is how
    exported models keep it; plain inputs are cheaper to carry."""

    def init_state(self, batch: int, bins: int) -> mx.array:
        """Silence before the start, [batch, (taps - 1) * stride, bins * stride, channels out]."""
        tail = (self._taps[0] - 1) * self._stride[0]
        return mx.zeros((batch, tail, bins * self._stride[1], self._width))

    def __call__(self, x: mx.array, state: mx.array) -> tuple[mx.array, mx.array]:
        """As `TransposedConv`."""
        batch, frames, bins, _ = x.shape
        past = super().init_state(batch, bins)
        y, _ = super().__call__(mx.concatenate([x, past], axis=1), past)
        complete = frames * self._stride[0]
        missing = y.shape[1] - state.shape[1]
        y = y - self._bias + mx.pad(state, [(0, 0), (0, missing), (0, 0), (0, 0)])
        return y[:, :complete] + self._bias, y[:, complete:]

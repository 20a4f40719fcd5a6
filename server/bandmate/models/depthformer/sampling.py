# SPDX-License-Identifier: GPL-3.0-or-later
"""Picking codes from logits, and the two sources of random numbers.

Both sources make the noise of a whole frame before the frame is computed, since it does not depend
on what is sampled: the step then is a pure function of its inputs.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

EXCLUDED = -0.7 * float(np.finfo(np.float32).max)  # finite, so that noise can be added to it
FREE_RISE = -1e6  # dB: a mean so much quieter than it is lets any code in
LEAST_LIKELY = 1e-30  # its logarithm is finite
SHARPEST = 0.05  # from this far below temperature 1 on, a draw is a single code


def pick_codes(
    logits: mx.array, noise: mx.array, temperature: mx.array, top_k: mx.array
) -> mx.array:
    """One code per row: the largest logit plus noise among the `top_k` largest logits.

    Temperature multiplies the noise and leaves the logits alone, so 0 is exactly greedy.

    Args:
        logits: float32 [n, codes].
        noise: float32 [n, codes], standard Gumbel.
        temperature: float32 [n].
        top_k: int32 [n], clamped to 1..codes. Ties at the threshold are all kept.

    Returns:
        int32 [n].
    """
    codes = logits.shape[-1]
    kept = mx.clip(top_k, 1, codes)[:, None]
    threshold = mx.take_along_axis(mx.sort(logits, axis=-1), codes - kept, axis=-1)
    allowed = mx.where(logits < threshold, EXCLUDED, logits)
    return mx.argmax(allowed + temperature[:, None] * noise, axis=-1).astype(mx.int32)


def pick_near_mean(
    logits: mx.array,
    noise: mx.array,
    temperature: mx.array,
    top_k: mx.array,
    values: mx.array,
    levels: mx.array,
    last: mx.array,
    hold: mx.array,
    rise: mx.array,
) -> mx.array:
    """One code per row: the one nearest to the mean of what the `top_k` likeliest stand for.

    Each weighs exp((logit + temperature * noise) / (1 - temperature)). The likeliest code is a poor
    guess of a sound: quiet ones are few and likely, the many that are loud share the rest. At
    temperature 0 nothing is drawn; towards 1 a single code outweighs all, as in `pick_codes`.

    Args:
        logits, noise, temperature, top_k: as in `pick_codes`.
        values: float32 [codes, dims], what each code stands for.
        levels: float32 [codes], how loud what each code stands for is, dB.
        last: int32 [n], the code of the frame before, or negative. It is kept while the square of
            its distance from the mean is at most `hold` times the nearest one's: codes that
            flicker are heard as new onsets.
        hold: float32 [n].
        rise: float32 [n], dB. After a last code, no code is picked that is louder than it and than
            the mean less this: a level that comes up in steps, where the expected one hardly does,
            is heard as an onset. FREE_RISE leaves all codes.

    Returns:
        int32 [n].
    """
    codes = logits.shape[-1]
    kept = mx.clip(top_k, 1, codes)[:, None]
    threshold = mx.take_along_axis(mx.sort(logits, axis=-1), codes - kept, axis=-1)
    left_out = logits < threshold
    sharpness = mx.maximum(1 - temperature, SHARPEST)[:, None]
    drawn = mx.where(left_out, EXCLUDED, (logits + temperature[:, None] * noise) / sharpness)
    weights = mx.softmax(drawn, axis=-1)
    distance = mx.square((weights @ values)[:, None] - values).sum(axis=-1)
    limit = mx.maximum(weights @ levels - rise, levels[mx.maximum(last, 0)])
    too_loud = (last >= 0)[:, None] & (levels > limit[:, None])
    allowed = mx.where(left_out | too_loud, -EXCLUDED, distance)
    nearest = mx.argmin(allowed, axis=-1).astype(mx.int32)
    far = mx.take_along_axis(distance, mx.maximum(last, 0)[:, None], axis=-1)[:, 0]
    keeps = (last >= 0) & (far <= allowed.min(axis=-1) * hold)
    return mx.where(keeps, last, nearest).astype(mx.int32)


def guided(logits: mx.array, scales: mx.array) -> mx.array:
    """Pushes logits away from those of masked conditioning.

    Args:
        logits: float32 [n, 3, codes]: full, style masked, notes masked.
        scales: float32 [n, 2], for style and notes; 0 is no guidance.

    Returns:
        float32 [n, codes].
    """
    away = logits[:, :1] - logits[:, 1:]
    return logits[:, 0] + (scales[:, :, None] * away).sum(axis=1)


def mixed(logits: mx.array, shares: mx.array) -> mx.array:
    """Logits of what several rows think likely, taken together.

    Args:
        logits: float32 [n, rows, codes].
        shares: float32 [n, rows], how much each row counts; they add up to 1.

    Returns:
        float32 [n, codes]: the logarithm of the weighted mean of the rows' probabilities.
    """
    likely = (shares[:, :, None] * mx.softmax(logits, axis=-1)).sum(axis=1)
    return mx.log(mx.maximum(likely, LEAST_LIKELY))


def session_noise(seed: int, frame: int, codebooks: int, codes: int) -> NDArray[np.float32]:
    """Gumbel noise [codebooks, codes] of one session's frame.

    A pure function of (seed, frame): Philox with the seed as key and the frame as the high word of
    the counter. The same for a session alone, in any row of a batch, live or offline.
    """
    generator = np.random.Philox(key=seed % 2**64, counter=[0, 0, 0, frame])
    count = codebooks * codes
    raw = generator.random_raw(-(-count // 2))
    words = raw.astype("<u8", copy=False).view("<u4")[:count]  # the low half of each first
    # 23 bits, centred between steps: exact in float32 and never 0 or 1.
    noise = (words >> np.uint32(9)).astype(np.float32)
    noise += np.float32(0.5)
    noise *= np.float32(2**-23)
    for _ in range(2):
        np.log(noise, out=noise)
        np.negative(noise, out=noise)
    return noise.reshape(codebooks, codes)


def reference_key(seed: int) -> mx.array:
    """The key uint32 [2] a reference stream starts from."""
    return mx.random.key(seed)


def reference_noise(
    key: mx.array, codebooks: int, codes: int, vocabulary: int
) -> tuple[mx.array, mx.array]:
    """Gumbel noise of one frame by the reference's rule: a draw and a split per codebook.

    The reference draws over its whole vocabulary, of which one codebook's part is used.

    Args:
        key: uint32 [2].
        vocabulary: ids in all, the reserved ones first.

    Returns:
        noise [1, codebooks, codes] and the next frame's key.
    """
    reserved = vocabulary - codebooks * codes
    drawn = []
    for codebook in range(codebooks):
        start = reserved + codebook * codes
        whole = mx.random.gumbel((1, 1, vocabulary), key=key)
        drawn.append(whole[:, :, start : start + codes])
        key = mx.random.split(key)[1]
    return mx.concatenate(drawn, axis=1), key

# SPDX-License-Identifier: GPL-3.0-or-later
"""Training clips to listen to and look at: WAV, MIDI and a picture of each."""

from __future__ import annotations

from pathlib import Path

import clips
import matplotlib as mpl
import mido
import notes
import numpy as np
import soundfile
from features import FeatureExtractor
from sounds import STYLES

mpl.use("Agg")
from matplotlib import pyplot as plt

FRAMES = 256
SHOWN = 128  # frames in the picture


def preview(folder: Path, count: int, seed: int, only: tuple[str, ...]) -> None:
    """Writes `count` clips; `only` as for `clips.make`.

    Raises:
        SystemExit: no family has such a source.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fitting = [n for n, s in enumerate(STYLES) if not only or {"soundfont", *s.synths} & {*only}]
    if not fitting:
        raise SystemExit(f"No sound is named {', '.join(only)}; sounds.json has their names.")
    extractor = FeatureExtractor()
    for number in range(count):
        family = fitting[number % len(fitting)]
        clip = clips.make(np.random.default_rng([seed, number]), family, FRAMES, only)
        name = f"{number:03d} {STYLES[family].name}"
        soundfile.write(folder / f"{name}.wav", clip.audio, notes.SAMPLE_RATE)
        _midi(clip).save(folder / f"{name}.mid")
        _picture(clip, extractor, folder / f"{name}.png")
        print(f"{name}: {clip.caption}")


def _midi(clip: clips.Clip) -> mido.MidiFile:
    events = [(n.start, "note_on", n.pitch, n.velocity) for n in clip.notes]
    events += [(n.end, "note_off", n.pitch, 0) for n in clip.notes]
    file = mido.MidiFile(ticks_per_beat=notes.TICKS_PER_SECOND // 2)  # 120 beats per minute
    track, at = mido.MidiTrack(), 0
    channel = 9 if STYLES[clip.family].drums else 0
    for tick, kind, pitch, velocity in sorted(events, key=lambda e: (e[0], e[1] == "note_on")):
        message = mido.Message(kind, note=pitch, velocity=velocity, time=tick - at, channel=channel)
        track.append(message)
        at = tick
    file.tracks.append(track)
    return file


def _picture(clip: clips.Clip, extractor: FeatureExtractor, path: Path) -> None:
    mid, stereo = extractor.stereo(clip.audio, SHOWN)
    figure, (top, middle, low) = plt.subplots(3, 1, figsize=(14, 9), height_ratios=(3, 2, 1))
    span = (0, SHOWN * 0.04)
    top.imshow(mid.reshape(-1, mid.shape[-1]).T, origin="lower", aspect="auto",
               extent=(*span, 0, mid.shape[-1]))  # fmt: skip
    top.set_title(clip.caption)
    for note in clip.notes:
        start, end = note.start / notes.TICKS_PER_SECOND, note.end / notes.TICKS_PER_SECOND
        if start < span[1]:
            top.axvline(start, color="white", linewidth=0.3)
            middle.plot((start, end), (note.pitch, note.pitch), linewidth=note.velocity / 24)
    middle.set_xlim(*span)
    low.imshow(stereo[..., 0].T, origin="lower", aspect="auto", vmin=0, vmax=255,
               cmap="coolwarm", extent=(*span, 0, stereo.shape[1]))  # fmt: skip
    for axis, label in ((top, "band"), (middle, "pitch"), (low, "pan by region")):
        axis.set_ylabel(label)
    low.set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    plt.close(figure)

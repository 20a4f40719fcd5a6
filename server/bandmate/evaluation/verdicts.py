# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures that have a bar to reach, and whether they do."""

from __future__ import annotations

from typing import Any

from bandmate.evaluation.codec import DUO

NOTES_SHARE = {"mono": 0.85, "chords": 0.75, "mixed": 0.75}  # of the source's own onset F1
ONSET_MS = 10.0
REST_DBFS = -50.0
STYLE_SHARE = 0.8
LINE_DB = 6.0
BALANCE_DB = 2.0  # mono makes it 3.6


def of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The verdicts of a measured yardstick.

    Returns:
        For each: part, figure (in words), value, bar (in words) and reached. A figure that could
        not be measured although its part was is None, and does not reach its bar.
    """
    rows: list[dict[str, Any]] = []

    def at_least(part: str, figure: str, value: float | None, bar: float) -> None:
        rows.append(_row(part, figure, value, f">= {bar:.3g}", value is not None and value >= bar))

    def at_most(part: str, figure: str, value: float | None, bar: float, unit: str = "") -> None:
        reached = value is not None and value <= bar
        rows.append(_row(part, figure, value, f"<= {bar:.3g}{unit}", reached))

    if notes := result.get("notes"):
        for kind, stages in notes["kinds"].items():
            at_least(
                "notes", f"{kind}, share of the source's F1", stages["model"], NOTES_SHARE[kind]
            )
        for name, row in list(notes["timing"].items())[:1]:
            played = row["model"]
            at_most("notes", f"{name}, level of rests", played["rest_dbfs"], REST_DBFS, " dBFS")
            at_most("notes", "onset error, median", played["onset_median_abs_ms"], ONSET_MS, " ms")
            at_most("notes", "onset error, p90", played["onset_p90_ms"], ONSET_MS, " ms")
    if style := result.get("style"):
        at_least("style", "text prompts of the right family", style["text"]["share"], STYLE_SHARE)
        at_least("style", "audio prompts of the right family", style["audio"]["share"], STYLE_SHARE)
        monotone = [blend["monotone"] for blend in style["blends"]]
        at_least("style", "blends that only go forward", sum(monotone) / len(monotone), 1.0)
    if codec := result.get("codec"):
        mean = codec["mean"]
        at_most(
            "codec",
            "log STFT distance, against Opus at 6 kbit/s",
            mean["codec"]["log_stft_db"],
            mean["opus"]["log_stft_db"],
            " dB",
        )
        for row in codec["clips"]:
            if row["clip"] == DUO:
                error = row["balance_error_db"]["codec"]
                at_most("codec", "two instruments, left/right error", error, BALANCE_DB, " dB")
        lines = [row["lines_db"]["codec"]["frame"] for row in codec["clips"]]
        figure = "line at the frame rate, over the source's"
        at_most("codec", figure, sum(lines) / len(lines), LINE_DB, " dB")
    if stream := result.get("stream"):
        at_least("stream", "stable", float(stream["stable"]), 1.0)
    if latency := result.get("latency"):
        for name, row in latency["timings"].items():
            at_most("latency", f"{name}, frames", row["frames"], row["bar_frames"])
    return rows


def _row(part: str, figure: str, value: float | None, bar: str, reached: bool) -> dict[str, Any]:
    return {"part": part, "figure": figure, "value": value, "bar": bar, "reached": reached}

# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a trained run as a model bundle.

usage: export.py RUN BUNDLE_DIR [--version V] [--guided SHARE]

The language model is RUN/lm.pt, or what lies between it and RUN/guided.pt, if that is there.
Tensor names of the language model are those of the official checkpoints; weights are stored as
float16 and used as float32.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from codec import CODE_SIZE, GROUPS, STEREO_BOOKS, Codec, code_order
from depthformer import Attention, Depthformer, Layer, Sizes
from features import (
    FRAME,
    LOG_HIGH,
    LOG_LOW,
    SAMPLE_RATE,
    SPEC,
)
from safetensors.numpy import save_file
from style import StyleModel
from torch import Tensor, nn

# How long codes are kept where notes change, and elsewhere (see DepthformerSpec.hold). Tried on the
# development pieces: less and chords flicker, more and new notes are missed.
HOLD_CODES = (1.5, 5.0)
# How much louder what is expected must have become before codes get louder without a note. Onset F1
# of chords on those pieces: 0.74 without such a rule, 0.76 with 0 dB, 0.77 with 1 or 3 dB.
RISE_DB = 1.0
# Of what distil.py taught so much: wholly taught, rests get bursts
GUIDED = 0.4


def half(value: Tensor) -> np.ndarray:
    return np.ascontiguousarray(value.detach().cpu().numpy().astype(np.float16))


def attention(name: str, branch: nn.Module, out: dict[str, Tensor]) -> None:
    body: Attention = branch.body
    heads = (body.heads, body.dim)
    for part in ("query", "key", "value"):
        weight = getattr(body, part).weight
        out[f"{name}attention/{part}_projection/kernel"] = weight.T.unflatten(1, heads)
    out[name + "attention/per_dim_scale"] = body.per_dim_scale
    out[name + "output_projection/kernel"] = body.out.weight.unflatten(1, heads)
    out[name + "pre_norm/scale"], out[name + "post_norm/scale"] = (
        branch.pre.scale,
        branch.post.scale,
    )
    if body.sink_key is not None:
        out[name + "attention/sink_key_embeddings"] = body.sink_key
        out[name + "attention/sink_value_embeddings"] = body.sink_value


def layer(name: str, block: Layer, out: dict[str, Tensor]) -> None:
    attention(name + "self_attention/", block.self_attention, out)
    if block.cross_attention is not None:
        attention(name + "cross_attention/", block.cross_attention, out)
    for number, index in ((1, 0), (2, 2)):
        out[f"{name}ffn/ffn_layer{number}/kernel"] = block.ffn.body[index].weight.T
        out[f"{name}ffn/ffn_layer{number}/bias"] = block.ffn.body[index].bias
    out[name + "ffn/pre_norm/scale"], out[name + "ffn/post_norm/scale"] = (
        block.ffn.pre.scale,
        block.ffn.post.scale,
    )


def language_model(model: Depthformer, views: bool = False) -> dict[str, Any]:
    """Tensors of the language model in the official layout.

    Args:
        views: the model's own memory, to be written to, instead of arrays of float16. Tables that
            are made of parts are no views, or those of a part (`regular_rows`, `logit_rows`).
    """
    embedders = "encoder/body/layers_1/branched_"
    style = embedders + "mulan_embedder/mulan_embedder/"
    out: dict[str, Tensor] = {
        style + "mulan_dequantizer/embedding": model.style_table.weight,
        style + "depth_input_adapter/kernel": model.style_adapter.weight.T,
        embedders + "regular_embedder/regular_embedder/embedding": model.regular_rows,
        "encoder/body/encoder_ln/scale": model.encoder_norm.weight,
        "encoder/body/encoder_ln/bias": model.encoder_norm.bias,
        "decoder/decoder_embedding/embedding/embedding": model.embedding.weight,
        "decoder/depth_body/depth_input_adapter/kernel": model.depth_adapter.weight.T,
        "decoder/depth_body/past_input_adapter/kernel": model.depth_past_adapter.weight.T,
        "decoder/depth_body/final_ln/scale": model.final_norm.weight,
        "decoder/depth_body/final_ln/bias": model.final_norm.bias,
        "decoder/depth_body/to_logits/kernel": (
            model.to_logits.weight if views else model.logit_rows
        ).T,
        "decoder/depth_body/to_logits/bias": model.to_logits.bias,
    }
    for part, blocks in (("temporal", model.temporal), ("depth", model.depth)):
        for number, block in enumerate(blocks):
            layer(f"decoder/{part}_body/transformer/x_layers_{number}/", block, out)
    named = {"params/depthformer/" + name: value for name, value in out.items()}
    return named if views else {name: half(value) for name, value in named.items()}


def codec_tensors(codec: Codec) -> dict[str, np.ndarray]:
    ends = np.cumsum([0] + [g[2] for g in GROUPS])
    out = {}
    for number in range(len(GROUPS)):
        out[f"basis.{number}.mean"] = getattr(codec.basis, f"mean_{number}")
        out[f"basis.{number}.vectors"] = getattr(codec.basis, f"vectors_{number}")
    for book, (group, _) in enumerate(code_order()):
        out[f"codebooks.{book}"] = codec.quantiser.codebooks[book][:, ends[group] : ends[group + 1]]
    out |= {f"stereo.{book}": values for book, values in enumerate(codec.stereo)}
    return {name: half(value) for name, value in out.items()}


def style_tensors(model: StyleModel, views: bool = False) -> dict[str, Any]:
    """The style encoder's tensors, as arrays of float32 or, with `views`, as its own memory."""
    out = {"codebooks": model.codebooks, "sounds": model.sounds, "table": model.table.weight}
    out["table_score"] = model.score.weight[:, 0]
    out |= {"audio_mean": model.audio_mean, "audio_scale": model.audio_scale}
    for tower in ("text", "audio"):
        linear = [m for m in getattr(model, tower) if isinstance(m, nn.Linear)]
        for number, part in enumerate(linear):
            out[f"{tower}.{number}.weight"], out[f"{tower}.{number}.bias"] = part.weight, part.bias
    if views:
        return out
    return {
        name: np.ascontiguousarray(v.detach().numpy().astype(np.float32)) for name, v in out.items()
    }


def description(sizes: Sizes, version: str) -> dict:
    """The bundle's JSON."""
    s = sizes
    scale = {"low": -1.0, "high": 7.0}
    return {
        "format": 1,
        "name": "pico",
        "family": "pico",
        "version": version,
        "description": "Bandmate's own small model: sixteen families of instruments and drums.",
        "licence": "GPL-3.0-or-later; trained on FluidR3 GM and MuseScore General (both MIT)",
        "frame": {
            "sample_rate": SAMPLE_RATE,
            "frame_samples": FRAME,
            "channels": 2,
            "delay_samples": SPEC.delay_samples,
        },
        "conditioning": {
            "style_levels": s.style_levels,
            "style_codes": s.style_codes,
            "onset_phases": s.onset_phases,
            "velocity_levels": s.velocity_levels,
            "held_ages": s.held_ages,
            "released_ages": s.released_ages,
            "history_levels": s.history_levels,
            "guidance": [
                {"name": "style", **scale, "step": 0.2},
                {"name": "notes", **scale, "step": 0.2},
                {"name": "drums", **scale, "step": 1.0},
            ],
        },
        "depthformer": {
            "encoder_width": s.encoder_width,
            "style_embedding_width": s.style_embedding_width,
            "codebooks": s.codebooks,
            "codebook_size": s.codebook_size,
            "depth_past": True,
            "forgets": True,
            "expects": True,
            "hold": list(HOLD_CODES),
            "rise": RISE_DB,
            "temporal": {
                "layers": s.layers,
                "width": s.width,
                "ffn": s.ffn,
                "heads": s.heads,
                "head_dim": s.head_dim,
                "past": s.past,
                "cross_past": s.cross_past,
            },
            "depth": {
                "layers": s.depth_layers,
                "width": s.depth_width,
                "ffn": s.depth_ffn,
                "heads": s.depth_heads,
                "head_dim": s.head_dim,
                "past": s.codebooks,
            },
        },
        "codec": {
            "kind": "magnitude",
            "log_low": LOG_LOW,
            "log_high": LOG_HIGH,
            "synthesis": {k: v for k, v in asdict(SPEC).items() if k != "sample_rate"},
            "groups": [
                dict(zip(("first", "end", "values", "levels"), g, strict=True)) for g in GROUPS
            ],
            "code_groups": [group for group, _ in code_order()],
            "stereo_books": STEREO_BOOKS,
        },
        "weights": {
            "model": "model.safetensors",
            "codec": "codec.safetensors",
            "style": "style.safetensors",
        },
        "defaults": {"temperature": 0.1, "top_k": 40, "guidance": [3.0, 1.0, 1.0]},
    }


def write(folder: Path, model: Depthformer, codec: Codec, style: StyleModel, version: str) -> None:
    """Writes the bundle into `folder`, made if missing."""
    assert codec.quantiser.codebooks.shape[1] == CODE_SIZE
    folder.mkdir(parents=True, exist_ok=True)
    save_file(language_model(model), folder / "model.safetensors")
    save_file(codec_tensors(codec), folder / "codec.safetensors")
    save_file(style_tensors(style), folder / "style.safetensors")
    text = json.dumps(description(model.s, version), indent=2)
    (folder / "bundle.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--guided", type=float, default=GUIDED, help=f"[{GUIDED}]")
    args = parser.parse_args()
    saved = torch.load(args.run / "lm.pt", weights_only=True, map_location="cpu")
    if (guided := args.run / "guided.pt").exists():
        taught = torch.load(guided, weights_only=True, map_location="cpu")["model"]
        for name, value in saved["model"].items():
            if value.is_floating_point():
                saved["model"][name] = torch.lerp(value.float(), taught[name].float(), args.guided)
    sizes = Sizes(**saved["sizes"])
    model, codec, style = Depthformer(sizes), Codec(), StyleModel()
    model.load_state_dict(saved["model"])
    codec.load_state_dict(torch.load(args.run / "codec.pt", weights_only=True))
    style.load_state_dict(torch.load(args.run / "style.pt", weights_only=True))
    write(args.bundle, model, codec, style, args.version)
    size = sum(f.stat().st_size for f in args.bundle.iterdir()) / 1e6
    print(f"{args.bundle}: step {saved['step']}, {saved['spent']:.0f} s of training, {size:.1f} MB")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a trained run as a model bundle.

usage: export.py RUN BUNDLE_DIR [--version V]

Tensor names of the language model are those of the official checkpoints; weights are stored as
float16 and used as float32.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import codec as codec_module
import numpy as np
import torch
from codec import CODE_SIZE, GROUPS, Codec, code_order
from depthformer import Attention, Depthformer, Layer, Sizes
from features import (
    BANDS,
    FLOOR,
    FRAME,
    HOP,
    HOPS_PER_FRAME,
    LINEAR_BANDS,
    LOG_HIGH,
    LOG_LOW,
    SAMPLE_RATE,
    TOP_HZ,
    WINDOW,
)
from safetensors.numpy import save_file
from style import StyleModel
from torch import Tensor, nn

FLAT_DB = (4.0, 9.0)
# A frame's hops are integrated one hop late, and a window ends half its length after its centre.
DELAY = FRAME + WINDOW // 2 - 2 * HOP


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


def language_model(model: Depthformer) -> dict[str, np.ndarray]:
    """Tensors of the language model in the official layout."""
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
        "decoder/depth_body/final_ln/scale": model.final_norm.weight,
        "decoder/depth_body/final_ln/bias": model.final_norm.bias,
        "decoder/depth_body/to_logits/kernel": model.to_logits.weight.T,
        "decoder/depth_body/to_logits/bias": model.to_logits.bias,
    }
    for part, blocks in (("temporal", model.temporal), ("depth", model.depth)):
        for number, block in enumerate(blocks):
            layer(f"decoder/{part}_body/transformer/x_layers_{number}/", block, out)
    return {"params/depthformer/" + name: half(value) for name, value in out.items()}


def codec_tensors(codec: Codec) -> dict[str, np.ndarray]:
    ends = np.cumsum([0] + [g[2] for g in GROUPS])
    out = {}
    for number in range(len(GROUPS)):
        out[f"basis.{number}.mean"] = getattr(codec.basis, f"mean_{number}")
        out[f"basis.{number}.vectors"] = getattr(codec.basis, f"vectors_{number}")
    for book, (group, _) in enumerate(code_order()):
        out[f"codebooks.{book}"] = codec.quantiser.codebooks[book][:, ends[group] : ends[group + 1]]
    for name, value in codec.post.state_dict().items():
        out["post." + name] = value.squeeze(1) if name.endswith("depthwise.weight") else value
    return {name: half(value) for name, value in out.items()}


def style_tensors(model: StyleModel) -> dict[str, np.ndarray]:
    out = {"codebooks": model.codebooks, "table": model.table.weight}
    out |= {"audio_mean": model.audio_mean, "audio_scale": model.audio_scale}
    for tower in ("text", "audio"):
        linear = [m for m in getattr(model, tower) if isinstance(m, nn.Linear)]
        for number, part in enumerate(linear):
            out[f"{tower}.{number}.weight"], out[f"{tower}.{number}.bias"] = part.weight, part.bias
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
        "description": "Bandmate's own small model: twelve families of instruments and drums.",
        "licence": "GPL-3.0-or-later; trained on FluidR3 GM and MuseScore General (both MIT)",
        "frame": {
            "sample_rate": SAMPLE_RATE,
            "frame_samples": FRAME,
            "channels": 2,
            "delay_samples": DELAY,
        },
        "conditioning": {
            "style_levels": s.style_levels,
            "style_codes": s.style_codes,
            "onset_phases": s.onset_phases,
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
            "synthesis": {
                "window": WINDOW,
                "hop": HOP,
                "hops_per_frame": HOPS_PER_FRAME,
                "linear_bands": LINEAR_BANDS,
                "bands": BANDS,
                "top_hz": TOP_HZ,
                "floor": FLOOR,
                "flat_db": list(FLAT_DB),
            },
            "groups": [
                dict(zip(("first", "end", "values", "levels"), g, strict=True)) for g in GROUPS
            ],
            "code_groups": [group for group, _ in code_order()],
            "post_net": {
                "width": codec_module.POST_WIDTH,
                "hidden": codec_module.POST_HIDDEN,
                "blocks": codec_module.POST_BLOCKS,
                "kernel": codec_module.POST_KERNEL,
            },
        },
        "weights": {
            "model": "model.safetensors",
            "codec": "codec.safetensors",
            "style": "style.safetensors",
        },
        "defaults": {"temperature": 0.6, "top_k": 40, "guidance": [3.0, 1.0, 1.0]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--version", default="0.1.0")
    args = parser.parse_args()
    saved = torch.load(args.run / "lm.pt", weights_only=True, map_location="cpu")
    sizes = Sizes(**saved["sizes"])
    model, codec, style = Depthformer(sizes), Codec(), StyleModel()
    model.load_state_dict(saved["model"])
    codec.load_state_dict(torch.load(args.run / "codec.pt", weights_only=True))
    style.load_state_dict(torch.load(args.run / "style.pt", weights_only=True))
    assert codec.quantiser.codebooks.shape[1] == CODE_SIZE
    args.bundle.mkdir(parents=True, exist_ok=True)
    save_file(language_model(model), args.bundle / "model.safetensors")
    save_file(codec_tensors(codec), args.bundle / "codec.safetensors")
    save_file(style_tensors(style), args.bundle / "style.safetensors")
    text = json.dumps(description(sizes, args.version), indent=2)
    (args.bundle / "bundle.json").write_text(text + "\n", encoding="utf-8")
    size = sum(f.stat().st_size for f in args.bundle.iterdir()) / 1e6
    print(f"{args.bundle}: step {saved['step']}, {saved['spent']:.0f} s of training, {size:.1f} MB")


if __name__ == "__main__":
    main()

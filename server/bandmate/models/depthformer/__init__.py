# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame-by-frame language model shared by the bundled and the official models.

`vocabulary` maps controls to token ids, `weights` names and checks the tensors of a checkpoint,
`linear` and `transformer` are the layers, `depthformer` is one frame, `sampling` picks codes.
"""

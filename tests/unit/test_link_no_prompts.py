# SPDX-License-Identifier: GPL-3.0-or-later
"""A user who has a model's weights but not its style encoder plays all the same, and is told."""

from __future__ import annotations

import numpy as np
import pytest
from support.official import TINY, write_tiny_bundle
from support.sandbox import Sandbox
from support.server import running_server
from support.wire_plugin import WirePlugin, note_on

from bandmate import _protocol as wire
from bandmate.link.client import RefusedError


@pytest.fixture
def place(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    models = sandbox.root / "models"
    models.mkdir()
    write_tiny_bundle(models, weights=True)
    sandbox.variables |= {"BANDMATE_MODELS": str(models), "MAGENTA_HOME": str(sandbox.root)}
    monkeypatch.setenv("BANDMATE_MODELS", str(models))
    with running_server(sandbox):
        yield sandbox


def test_without_a_style_encoder_notes_play_and_the_status_says_why(place: Sandbox) -> None:
    with WirePlugin(place.runtime, TINY) as plugin:
        plugin.open()
        with pytest.raises(RefusedError, match=r"plays without .* `bandmate models download`"):
            plugin.set_prompts(1, "warm piano")
        assert plugin.segment.server_state == wire.ServerState.READY
        (status,) = plugin.client.status()
        assert "text_encoder.tflite is missing" in status.note
        plugin.begin_epoch(3)
        assert np.isfinite(plugin.play(4, [note_on(100, 60)], 700)).all()
        assert plugin.segment.server_frames == 4
        # And later prompts change nothing about it, but are answered.
        with pytest.raises(RefusedError, match="not in force"):
            plugin.set_prompts(2, "strings")
        plugin.play(4, [], 700)
        plugin.set_prompts(3)  # none: nothing is missing any more
        (status,) = plugin.client.status()
        assert (status.revision, status.note) == (3, "")

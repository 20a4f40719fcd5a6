# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, run as users run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from support.paths import ROOT
from support.sandbox import Sandbox
from support.waiting import wait_for

from bandmate.models.testtone import CLICK_LEVEL


@pytest.fixture
def midi(tmp_path) -> Path:
    """Three notes at 0.5, 1.0 and 1.5 s, each held for a quarter."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    file.tracks.append(track)
    for pitch in (60, 64, 67):
        wait = 480 if pitch == 60 else 240
        track.append(mido.Message("note_on", note=pitch, velocity=90, time=wait))
        track.append(mido.Message("note_off", note=pitch, time=240))
    path = tmp_path / "three notes.mid"
    file.save(path)
    return path


def test_render_writes_notes_at_their_samples(sandbox: Sandbox, midi, tmp_path):
    out = tmp_path / "out.wav"
    done = sandbox.bandmate("render", midi, out, "--model", "testtone", "--json", "--tail", "1")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    sound, rate = soundfile.read(out, dtype="float32")
    assert soundfile.info(out).subtype == "FLOAT"
    assert rate == report["sample_rate"] == 48000
    assert sound.shape == (report["samples"], 2) == (int(2.75 * rate), 2)
    assert report["notes"] == 3
    assert report["rtf"] > 0
    assert np.flatnonzero(sound[:, 0] == CLICK_LEVEL).tolist() == [24000, 48000, 72000]
    assert [path.name for path in tmp_path.iterdir() if path != midi] == ["out.wav"]


def test_render_is_the_same_twice_and_talks_to_people(sandbox: Sandbox, midi, tmp_path):
    for name in ("a.wav", "b.wav"):
        done = sandbox.bandmate("render", midi, tmp_path / name, "--model", "testtone")
        assert done.returncode == 0
        assert "testtone" in done.stdout
    a, b = (soundfile.read(tmp_path / name)[0] for name in ("a.wav", "b.wav"))
    np.testing.assert_array_equal(a, b)


def test_render_interrupted_leaves_nothing(sandbox: Sandbox, tmp_path):
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.Message("note_on", note=60, velocity=90, time=480 * 2 * 3600))
    file.save(tmp_path / "hour.mid")
    process = subprocess.Popen(
        [sys.executable, "-m", "bandmate", "render", "hour.mid", "o.wav", "--model", "testtone"],
        cwd=tmp_path,
        env=sandbox.environment,
        stderr=subprocess.PIPE,
        # A shell starts background jobs with the signal ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: list(tmp_path.glob(".o.wav*")), "the first frames")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["hour.mid"]


def test_a_style_for_a_model_without_styles_is_refused(sandbox: Sandbox, midi, tmp_path):
    done = sandbox.bandmate(
        "render", midi, tmp_path / "o.wav", "--model", "testtone", "--style", "piano", "--json"
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "style" in done.stderr


def test_help_is_quick_to_import_and_lists_commands(sandbox: Sandbox):
    """Help must not load the sound libraries, let alone MLX."""
    program = (
        "import sys\nsys.argv[1:] = ['--help']\n"
        "from bandmate.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print(sorted(sys.modules))"
    )
    done = sandbox.run([sys.executable, "-c", program])
    assert done.returncode == 0
    listed, modules = done.stdout.rsplit("\n", 2)[:2]
    for name in ("render", "serve", "plugin", "doctor"):
        assert f"  {name}" in listed
    assert "mlx" not in modules
    assert "soundfile" not in modules


@pytest.mark.parametrize(
    "arguments",
    [["render"], ["serve"], ["plugin"], ["plugin", "install"], ["doctor"]],
    ids=" ".join,
)
def test_every_command_has_help(sandbox: Sandbox, arguments):
    done = sandbox.bandmate(*arguments, "--help")
    assert done.returncode == 0
    assert "Usage: bandmate" in done.stdout


def test_unknown_command_and_wrong_option(sandbox: Sandbox, midi, tmp_path):
    done = sandbox.bandmate("rendr")
    assert done.returncode == 2
    assert "rendr" in done.stderr
    done = sandbox.bandmate("render", midi, tmp_path / "o.wav", "--top-k", "0")
    assert done.returncode == 2
    assert "--top-k" in done.stderr


def test_a_reader_that_goes_away_is_no_error(sandbox: Sandbox):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "bandmate", "doctor", "--json"],
        env=sandbox.environment,
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def fake_build(folder: Path) -> Path:
    """The file tree of a built plugin; installing copies files, whatever is in them."""
    artefacts = folder / "juce" / "Bandmate_artefacts" / "Release"
    binary = artefacts / "VST3" / "Bandmate.vst3" / "Contents" / "x86_64-linux" / "Bandmate.so"
    for path in (
        binary,
        artefacts / "LV2" / "Bandmate.lv2" / "manifest.ttl",
        artefacts / "Standalone" / "Bandmate",
    ):
        path.parent.mkdir(parents=True)
        path.write_text("first")
        path.chmod(0o755)
    (folder / "CMakeFiles" / "Bandmate.vst3").mkdir(parents=True)
    return binary


@pytest.mark.skipif(sys.platform != "linux", reason="folders of Linux")
def test_plugin_install_twice_path_and_uninstall(sandbox: Sandbox, tmp_path):
    build = tmp_path / "build"
    binary = fake_build(build)
    vst3 = sandbox.home / ".vst3" / "Bandmate.vst3"
    arguments = ("plugin", "install", "--no-measure", "--from", build, "--json")
    done = sandbox.bandmate(*arguments)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert sorted(report["installed"]) == ["lv2", "standalone", "vst3"]
    assert "testtone" in report["models"]
    assert "mrt2_small" not in report["models"]  # its weights are not here

    binary.write_text("second")
    (vst3 / "left over from an older version").write_text("")
    assert sandbox.bandmate(*arguments).returncode == 0
    assert (vst3 / binary.relative_to(binary.parents[2])).read_text() == "second"
    assert not (vst3 / "left over from an older version").exists()
    assert sorted(p.name for p in vst3.parent.iterdir()) == ["Bandmate.vst3"]

    settings = json.loads((sandbox.config / "engine.json").read_text())
    assert settings["command"][0] == sys.executable
    assert settings["default_model"] == "pico"
    models = {model["name"]: model for model in settings["models"]}
    assert models["testtone"]["frame_samples"] == 1920

    where = json.loads(sandbox.bandmate("plugin", "path", "--json").stdout)
    assert where["vst3"] == {"path": str(vst3), "installed": True}
    removed = json.loads(sandbox.bandmate("plugin", "uninstall", "--json").stdout)["removed"]
    assert len(removed) == 3
    assert not vst3.exists()
    assert json.loads(sandbox.bandmate("plugin", "uninstall", "--json").stdout)["removed"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="folders of Linux")
def test_plugin_install_measures(sandbox: Sandbox, tmp_path):
    fake_build(tmp_path)
    sandbox.variables["BANDMATE_MODELS"] = ""
    done = sandbox.bandmate("plugin", "install", "--from", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    settings = json.loads((sandbox.config / "engine.json").read_text())
    budgets = {model["name"]: model["budget_ms"] for model in settings["models"]}
    assert 0.0 < budgets["testtone"] < 40.0


def test_plugin_install_without_a_build(sandbox: Sandbox, tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        done = sandbox.bandmate("plugin", "install", "--from", folder)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "--from" in done.stderr


def test_doctor_names_what_is_missing(sandbox: Sandbox):
    (sandbox.config / "models" / "broken").mkdir(parents=True)
    (sandbox.config / "models" / "broken" / "bundle.json").write_text("{")
    done = sandbox.bandmate("doctor", "--json")
    assert done.returncode == 1
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings["model broken"]["state"] == "missing"
    assert findings["model testtone"]["state"] == "ok"
    assert findings["protocol module"]["state"] == "ok"
    assert findings["private folder"]["detail"] == str(sandbox.runtime)
    for finding in findings.values():
        assert finding["hint"] or finding["state"] == "ok", finding
    lines = sandbox.bandmate("doctor").stdout.splitlines()
    assert len(lines) == len(findings)


def test_doctor_is_content_with_a_whole_installation(sandbox: Sandbox):
    done = sandbox.bandmate("doctor", "--json")
    missing = [f for f in json.loads(done.stdout) if f["state"] == "missing"]
    assert missing == []
    assert done.returncode == 0

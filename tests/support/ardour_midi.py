# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts MIDI notes into a closed Ardour 7 session: its Lua binding cannot without a window."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import mido

TICKS_PER_BEAT = 1920  # Ardour's own
BEATS_PER_SECOND = 2  # a new session runs at 120 beats a minute


def put_notes(
    session: Path, notes: Sequence[tuple[float, float, int, int]], end_seconds: float
) -> None:
    """Writes a MIDI region onto the track "Band" and the session's end.

    Args:
        session: the .ardour file; the session must not be open.
        notes: (start in seconds, length in seconds, key, velocity).
        end_seconds: where an export ends.
    """
    tree = ET.parse(session)
    root = tree.getroot()
    first_id = int(root.get("id-counter"))
    root.set("id-counter", str(first_id + 3))
    source_id, region_id, range_id = (str(first_id + i) for i in range(3))
    file_name = f"Band-{source_id}.mid"
    folder = session.parent / "interchange" / root.get("name") / "midifiles"
    _midi_file(notes).save(folder / file_name)

    source = {"name": file_name, "type": "midi", "id": source_id, "take-id": "", "origin": ""}
    ET.SubElement(root.find("Sources"), "Source", {**source, "flags": "Writable,CanRename"})
    playlist = next(item for item in root.iter("Playlist") if item.get("name") == "Band")
    length = _ticks(max(start + length for start, length, _, _ in notes) + 1)
    ET.SubElement(playlist, "Region", _region(region_id, source_id, length))
    _set_end(root, range_id, round(end_seconds * int(root.get("sample-rate"))))
    tree.write(session, encoding="UTF-8", xml_declaration=True)


def _ticks(seconds: float) -> int:
    return round(seconds * BEATS_PER_SECOND * TICKS_PER_BEAT)


def _midi_file(notes: Sequence[tuple[float, float, int, int]]) -> mido.MidiFile:
    events = []
    for start, length, key, velocity in notes:
        events.append((_ticks(start), 1, key, velocity))
        events.append((_ticks(start + length), 0, key, 0))
    track, now = mido.MidiTrack(), 0
    for tick, on, key, velocity in sorted(events):
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, note=key, velocity=velocity, time=tick - now))
        now = tick
    return mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track])


def _region(region_id: str, source_id: str, length: int) -> dict[str, str]:
    """A region over the whole source, at the session's start. Times are ticks at a tick."""
    no = ("muted", "locked", "video-locked", "automatic", "whole-file", "import", "external")
    no += ("sync-marked", "hidden", "position-locked", "layering-index", "contents")
    return {
        **dict.fromkeys(no, "0"),
        **dict.fromkeys(("opaque", "stretch", "shift"), "1"),
        **dict.fromkeys(("start", "sync-position", "ancestral-start"), "b0"),
        "name": f"Band.{region_id}",
        "length": f"b{length}@b0",
        "ancestral-length": "b0@b0",
        "tags": "",
        "id": region_id,
        "type": "midi",
        "first-edit": "nothing",
        "source-0": source_id,
        "master-source-0": source_id,
    }


def _set_end(root: ET.Element, range_id: str, end: int) -> None:
    locations = root.find("Locations")
    for old in [item for item in locations if "IsSessionRange" in item.get("flags", "")]:
        locations.remove(old)
    where = {"id": range_id, "name": "session", "start": "0", "end": str(end), "locked": "0"}
    ET.SubElement(locations, "Location", {**where, "flags": "IsSessionRange"})

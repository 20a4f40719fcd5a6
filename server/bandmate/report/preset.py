# SPDX-License-Identifier: GPL-3.0-or-later
"""Style texts in the plugin's saved state: text is no parameter, so hosts set it by a preset.

A .vstpreset file holds chunks; "Comp" is the plugin's own state, an XML document in the frame that
JUCE puts around it, followed by what JUCE's wrapper saves beside it.
"""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from bandmate.errors import BandmateError

JUCE_MAGIC = b"VC2!"  # then the document's size (u32 little endian), its bytes and a zero
HEADER = struct.Struct("<4si32sq")  # "VST3", version, class id, where the chunk list is
ENTRY = struct.Struct("<4sqq")  # chunk id, offset, size


class PresetError(BandmateError):
    """Preset bytes that are not a preset of this plugin."""


def with_styles(preset: bytes, styles: Sequence[str]) -> bytes:
    """The same preset with other style texts.

    Args:
        preset: bytes of a .vstpreset of the plugin.
        styles: a text for each slot from the first; the slots that remain become empty.

    Raises:
        PresetError: the bytes are no preset of Bandmate, or there are more texts than slots.
    """
    class_id, chunks = _unpack(preset)
    document, rest = _unframe(chunks.get("Comp", b""))
    slots = {int(item.get("slot", "0")): item for item in document.iter("prompt")}
    if len(styles) > len(slots):
        raise PresetError(f"{len(styles)} styles are more than the plugin's {len(slots)} slots.")
    for slot, item in slots.items():
        item.set("text", styles[slot - 1] if slot <= len(styles) else "")
    text = ET.tostring(document, encoding="utf-8", xml_declaration=True)
    chunks["Comp"] = JUCE_MAGIC + struct.pack("<I", len(text)) + text + b"\0" + rest
    return _pack(class_id, chunks)


def styles_of(preset: bytes) -> list[str]:
    """The style texts of a preset, one for each slot.

    Raises:
        PresetError: the bytes are no preset of Bandmate.
    """
    document, _ = _unframe(_unpack(preset)[1].get("Comp", b""))
    slots = {int(item.get("slot", "0")): item.get("text", "") for item in document.iter("prompt")}
    return [slots[slot] for slot in sorted(slots)]


def model_of(preset: bytes) -> str:
    """The name of the model a preset asks for. Raises PresetError as above."""
    document, _ = _unframe(_unpack(preset)[1].get("Comp", b""))
    return document.get("model", "")


def _unframe(component: bytes) -> tuple[ET.Element, bytes]:
    if component[:4] != JUCE_MAGIC or len(component) < 8:
        raise PresetError("The plugin's state has a form this version does not know.")
    (size,) = struct.unpack_from("<I", component, 4)
    try:
        document = ET.fromstring(component[8 : 8 + size].rstrip(b"\0"))
    except ET.ParseError as error:
        raise PresetError(f"The plugin's state cannot be read ({error}).") from error
    return document, component[8 + size + 1 :]


def _unpack(preset: bytes) -> tuple[bytes, dict[str, bytes]]:
    try:
        magic, _, class_id, at = HEADER.unpack_from(preset)
        (name, count) = struct.unpack_from("<4si", preset, at)
        if magic != b"VST3" or name != b"List":
            raise PresetError("This is not a VST3 preset.")
        chunks = {}
        for i in range(count):
            kind, begin, size = ENTRY.unpack_from(preset, at + 8 + i * ENTRY.size)
            chunks[kind.decode("ascii")] = preset[begin : begin + size]
    except (struct.error, UnicodeDecodeError) as error:
        raise PresetError("This VST3 preset is damaged.") from error
    return class_id, chunks


def _pack(class_id: bytes, chunks: dict[str, bytes]) -> bytes:
    body, entries = b"", b""
    for kind, content in chunks.items():
        entries += ENTRY.pack(kind.encode("ascii"), HEADER.size + len(body), len(content))
        body += content
    listing = b"List" + struct.pack("<i", len(chunks)) + entries
    return HEADER.pack(b"VST3", 1, class_id, HEADER.size + len(body)) + body + listing

"""Copy protection: which files hold pictures that nobody without a key can see, so that the report can say so."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import av

from index_builder.errors import ClipUnreadable

SNIFFED_BYTES = 1 << 16
# The header objects of ASF that announce encryption (ASF specification, 10.1 and 10.2).
ASF_OBJECTS = tuple(
    UUID(text).bytes_le for text in ("2211B3FB-BD23-11D2-B4B7-00A0C955FC6E", "298AE614-2622-4C17-B935-DAE07EE9289C")
)
FAIRPLAY = ("drmi", "drms")
TS_PACKET_BYTES, TS_SYNC = 188, 0x47


def refuse_encrypted(path: Path, packet: av.Packet[av.VideoStream], format_name: str) -> None:
    """Raises ClipUnreadable when the stream of `packet`, its first, is encrypted."""
    tag = packet.stream.codec_context.codec_tag if packet.stream.codec_context else ""
    # Before version 16 PyAV does not tell of side data.
    tells = getattr(packet, "has_sidedata", None)
    if (
        (tells is not None and tells("encryption_info"))
        or tag.strip() in FAIRPLAY
        or (format_name == "asf" and any(mark in _head(path) for mark in ASF_OBJECTS))
        or (format_name == "mpegts" and _is_scrambled(_head(path)))
    ):
        raise ClipUnreadable("it is encrypted (DRM): bring a copy without copy protection")


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(SNIFFED_BYTES)


def _is_scrambled(head: bytes) -> bool:
    """Whether most transport packets that carry something are scrambled (ISO 13818-1, 2.4.3.3)."""
    for size in (TS_PACKET_BYTES, TS_PACKET_BYTES + 4):
        start = size - TS_PACKET_BYTES
        controls = [head[place + 3] for place in range(start, len(head) - 4, size) if head[place] == TS_SYNC]
        if len(controls) > len(head) // size // 2:
            return sum(bool(control & 0xC0) for control in controls) > len(controls) // 2
    return False

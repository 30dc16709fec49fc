"""Whether a batch of an Arrow IPC file is stored as it is, read from the file's own description of itself.

Arrow unpacks a compressed batch while it reads it, into as many bytes as the file says: a few kilobytes from a
stranger can ask for all memory there is. This package never writes such batches, and pyarrow does not tell them apart
beforehand.

The places of fields are those of the format's flatbuffers, Footer in File.fbs and Message in Message.fbs
(https://arrow.apache.org/docs/format/Columnar.html).
"""

from __future__ import annotations

import struct
from mmap import mmap

MAGIC = b"ARROW1"
CONTINUES = 0xFFFFFFFF
FOOTER_DICTIONARIES, FOOTER_BATCHES = 2, 3
MESSAGE_HEADER_TYPE, MESSAGE_HEADER = 1, 2
RECORD_BATCH = 3
RECORD_BATCH_COMPRESSION = 3
BLOCK_BYTES = 24


def packed_batch(content: bytes | mmap, number: int) -> str | None:
    """Why a batch of an Arrow IPC file, which Arrow has opened, is not stored as it is; None where it is.

    Only descriptions are read, a few hundred bytes.
    """
    try:
        footer = _footer(content)
        if _vector(content, footer, FOOTER_DICTIONARIES)[1]:
            return "it brings dictionaries"
        start, count = _vector(content, footer, FOOTER_BATCHES)
        if number >= count:
            return "it is not there"
        if _is_packed(content, *_unpack("<q", content, start + number * BLOCK_BYTES)):
            return "it is compressed"
    except struct.error:
        return "it cannot be located"
    return None


def _footer(content: bytes | mmap) -> int:
    """Where the footer's table lies."""
    (length,) = _unpack("<i", content, len(content) - len(MAGIC) - 4)
    return _root(content, len(content) - len(MAGIC) - 4 - length)


def _is_packed(content: bytes | mmap, place: int) -> bool:
    """Of the message at `place`: anything but a record batch without compression."""
    (first,) = _unpack("<I", content, place)
    message = _root(content, place + (8 if first == CONTINUES else 4))
    kind, header = _field(content, message, MESSAGE_HEADER_TYPE), _field(content, message, MESSAGE_HEADER)
    if kind is None or header is None or _unpack("<B", content, kind)[0] != RECORD_BATCH:
        return True
    return _field(content, header + _unpack("<I", content, header)[0], RECORD_BATCH_COMPRESSION) is not None


def _root(content: bytes | mmap, place: int) -> int:
    return place + int(_unpack("<I", content, place)[0])


def _field(content: bytes | mmap, table: int, number: int) -> int | None:
    """Where a field of the table at `table` lies; None where it is left out."""
    names = table - _unpack("<i", content, table)[0]
    (size,) = _unpack("<H", content, names)
    if 4 + 2 * number >= size:
        return None
    (offset,) = _unpack("<H", content, names + 4 + 2 * number)
    return table + offset if offset else None


def _vector(content: bytes | mmap, table: int, number: int) -> tuple[int, int]:
    """Where the first element of a vector lies, and how many there are."""
    field = _field(content, table, number)
    if field is None:
        return 0, 0
    start = field + _unpack("<I", content, field)[0]
    return start + 4, int(_unpack("<I", content, start)[0])


def _unpack(form: str, content: bytes | mmap, place: int) -> tuple[int, ...]:
    """Raises struct.error for a place outside the file."""
    if place < 0:
        raise struct.error("before the file")
    return struct.unpack_from(form, content, place)

"""Text files as programs write them: UTF-8 with or without a mark, or UTF-16 as spreadsheets call Unicode text."""

from __future__ import annotations

import codecs
from pathlib import Path

from index_builder.border import read_regular
from index_builder.errors import CaptionTableInvalid

MAX_TABLE_BYTES = 4 << 30  # ten million captions


def read_text(path: Path) -> str:
    """The whole file. Raises CaptionTableInvalid, with the line, for bytes of another encoding."""
    try:
        content = read_regular(path, most_bytes=MAX_TABLE_BYTES)
    except OSError as error:
        raise CaptionTableInvalid(f"Expected to read {path}, received {error}: check its permissions.") from error
    encoding = encoding_of(content)
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CaptionTableInvalid(
            f"Expected UTF-8 in {path.name}, but line {line} holds the bytes "
            f"{content[error.start : error.start + 4].hex(' ')}: save it as UTF-8."
        ) from error


def encoding_of(content: bytes) -> str:
    """utf-8, or utf-32 by its mark, or utf-16 by its mark or by the zero bytes of plain letters."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):  # one of them begins as that of UTF-16
        return "utf-32"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    start = content[:512]
    if len(start) >= 4 and start[1::2].count(0) > 0.4 * len(start):
        return "utf-16-le"
    if len(start) >= 4 and start[0::2].count(0) > 0.4 * len(start):
        return "utf-16-be"
    return "utf-8"

"""WebDataset archives: files of one clip share a key, the name up to its first dot; .txt or .json hold its caption."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from index_builder.errors import CaptionTableInvalid

MAX_MEMBER_BYTES = 1 << 20


def read_tar_captions(path: Path, wanted: Sequence[str]) -> tuple[list[str], Iterator[tuple[str, Mapping[str, Any]]]]:
    """A row for each key that has a text or JSON member; the .json's own members are columns too."""
    rows: dict[str, dict[str, Any]] = {}
    try:
        # Uncompressed only, as videos are: a few bytes of a compressed one may unfold to any size.
        with tarfile.open(path, mode="r:") as archive:
            for member in archive:
                key, dot, suffix = key_and_suffix(member.name)
                if not (member.isreg() and dot and suffix in ("txt", "json")) or member.size > MAX_MEMBER_BYTES:
                    continue
                opened = archive.extractfile(member)
                content = opened.read() if opened is not None else b""
                row = rows.setdefault(key, {"key": key})
                # A text stands before what the .json says of it.
                row.update(_text(content) if suffix == "txt" else {**_json(content), **row})
    except (tarfile.TarError, OSError, EOFError) as error:
        raise CaptionTableInvalid(
            f"Expected an uncompressed WebDataset archive in {path.name}, but reading failed ({error}): make it again."
        ) from error
    columns = list(dict.fromkeys(name for row in rows.values() for name in row)) or ["key", "caption"]
    return columns, ((f"member {key}", row) for key, row in rows.items())


def key_and_suffix(name: str) -> tuple[str, str, str]:
    """`a/0001.video.mp4` -> ("a/0001", ".", "video.mp4"): the key ends at the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    stem, dot, suffix = file.partition(".")
    return (f"{folder}{slash}{stem}".removeprefix("./"), dot, suffix.lower())


def _text(content: bytes) -> dict[str, Any]:
    return {"caption": content.decode("utf-8-sig", errors="replace")}


def _json(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError):
        return {}
    return {name: entry for name, entry in value.items() if name != "key"} if isinstance(value, dict) else {}

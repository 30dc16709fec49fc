"""Tells what a file is by its content, and whether it is whole as far as its format says."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from motionrag_nodes.batch_render.errors import JobFailed

_HEAD_BYTES, _TAIL_BYTES = 512, 65536
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}")
# Suffixes that mean the same format, by the one that we write; a format that is not here is taken as it comes.
_SAME = {
    ".png": {".apng"},
    ".jpg": {".jpeg", ".jpe", ".jfif"},
    ".gif": set(),
    ".webp": set(),
    ".mp4": {".m4v", ".m4a", ".mov", ".avif", ".heic", ".heif", ".3gp"},
    ".webm": {".mkv", ".mka"},
    ".wav": set(),
    ".flac": set(),
    ".ogg": {".opus", ".oga", ".ogv"},
    ".glb": set(),
    ".tif": {".tiff"},
    ".exr": set(),
}
_PAGES = (".html", ".htm", ".xml", ".svg", ".txt", ".md")


@dataclass(frozen=True)
class Content:
    """What a file holds: the suffix of its format (".png"), or "" where that is not known."""

    suffix: str


def check_content(path: Path, *, name: str) -> Content:
    """Examines a result that the server calls `name`.

    Raises JobFailed: empty, a web page or an error message in place of the file, or cut off.
    """
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise JobFailed(f"Expected a file with content as {name}, received an empty one: run the job again.")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, size_bytes - _TAIL_BYTES))
        tail = file.read()
    expected = Path(name).suffix.lower()
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")) and expected not in _PAGES:
        raise JobFailed(
            f"Expected {name} from the server, received a web page, perhaps one to log in: check its address and "
            "credentials."
        )
    if expected in _every_suffix() and start.startswith((b'{"error"', b'{"detail"', b'{"message"')):
        shown = head[:120].decode("utf-8", "replace")
        raise JobFailed(f"Expected {name} from the server, received a message ({shown}): run the job again.")
    suffix = _format(head)
    if not _whole(suffix, path, head, tail, size_bytes):
        raise JobFailed(
            f"Expected a whole {suffix[1:]} file as {name}, received {size_bytes} bytes without its end: run the job "
            "again."
        )
    return Content(suffix)


def local_suffix(name: str, content: Content) -> str:
    """The suffix of the local file: as the server's name has it, unless the content is of another format."""
    given = Path(name).suffix if _SUFFIX.fullmatch(Path(name).suffix) else ""
    if not content.suffix or given.lower() == content.suffix or given.lower() in _SAME[content.suffix]:
        return given or content.suffix
    return content.suffix


def _every_suffix() -> set[str]:
    return set(_SAME).union(*_SAME.values())


def _format(head: bytes) -> str:
    starts = {
        b"\x89PNG\r\n\x1a\n": ".png",
        b"\xff\xd8\xff": ".jpg",
        b"GIF8": ".gif",
        b"\x1aE\xdf\xa3": ".webm",
        b"fLaC": ".flac",
        b"OggS": ".ogg",
        b"glTF": ".glb",
        b"II*\0": ".tif",
        b"MM\0*": ".tif",
        b"v/1\x01": ".exr",
    }
    for mark, suffix in starts.items():
        if head.startswith(mark):
            return suffix
    if head[:4] == b"RIFF":
        return {b"WEBP": ".webp", b"WAVE": ".wav"}.get(head[8:12], "")
    return ".mp4" if head[4:8] == b"ftyp" else ""


def _whole(suffix: str, path: Path, head: bytes, tail: bytes, size_bytes: int) -> bool:
    if suffix == ".png":
        return b"IEND\xaeB`\x82" in tail
    if suffix == ".gif":
        return b";" in tail[-16:]
    if suffix == ".webp":
        return bool(size_bytes >= struct.unpack("<I", head[4:8])[0] + 8)
    if suffix == ".glb" and len(head) >= 12:
        return bool(size_bytes >= struct.unpack("<I", head[8:12])[0])
    return _whole_boxes(path, size_bytes) if suffix == ".mp4" else True


def _whole_boxes(path: Path, size_bytes: int) -> bool:
    """An ISO file (mp4, mov) is a row of boxes that fill it."""
    place, count = 0, 0
    with path.open("rb") as file:
        while place < size_bytes and count < 100_000:
            file.seek(place)
            header = file.read(16)
            if len(header) < 8:
                return False
            length = struct.unpack(">I", header[:4])[0]
            if length == 1 and len(header) == 16:
                length = struct.unpack(">Q", header[8:16])[0]
            if length == 0:  # to the end of the file
                return True
            if length < 8:
                return False
            place, count = place + length, count + 1
    return place == size_bytes

"""Captions beside a video: `clip.txt` or `clip.mp4.txt`, or the `clip.json` that video2dataset leaves."""

from __future__ import annotations

import errno
import json
from pathlib import Path

from index_builder.captions.text import MAX_CAPTION_CHARACTERS, cleaned

MAX_BYTES = 1 << 20
JSON_MEMBERS = ("caption", "text")


def read_sidecar(video: Path) -> str | None:
    """The text beside `video`, on one line; None where there is none.

    Raises OSError for a file that cannot be read, leads out of the video's folder, or is over-long.
    """
    for sidecar in (video.with_suffix(".txt"), video.with_name(video.name + ".txt")):
        if (content := _read(sidecar)) is not None and (text := _usable(content)):
            return text
    content = _read(video.with_suffix(".json"))
    return None if content is None else _of_json(content)


def _read(path: Path) -> str | None:
    try:
        # Follows links, and is false for pipes and devices, which would wait for ever.
        if not path.is_file():
            return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # beside a name of 255 bytes no file can lie that adds to it
            return None
        raise
    # Where a link leads, a private file may lie: captions are shown, searched and passed on.
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise OSError("it is a link that leads out of the folder")
    with path.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(f"it is longer than {MAX_BYTES} bytes")
    return content.decode("utf-8-sig", errors="replace")


def _of_json(content: str) -> str | None:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    return next((text for name in JSON_MEMBERS if (text := _usable(values.get(name)))), None)


def _usable(value: object) -> str | None:
    text = cleaned(value) if isinstance(value, str) else ""
    if len(text) > MAX_CAPTION_CHARACTERS:
        raise OSError(f"it is longer than {MAX_CAPTION_CHARACTERS} characters")
    return text or None

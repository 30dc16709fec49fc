"""The file in which a motion database goes from person to person: a zip that compresses nothing, with a label first.

The label says what is inside, under which licence, where it comes from, and of each file its size and sha256. Whoever
opens one trusts none of it before all of it was checked.
"""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import asdict, dataclass
from typing import Any

from index_builder.errors import SharedFileRefused

LABEL = "motion_database.json"
FORMAT, VERSION = "motionrag shared database", 1
MAX_LABEL_BYTES, MAX_TEXT, MAX_FILES = 8 << 20, 2000, 20_000
# All that a database consists of; nothing else is unpacked.
_NAMES = re.compile(
    r"manifest-[0-9]{6}\.json|segments/[0-9a-f]{32}/(rows\.arrow|ids\.hashes|tokens-[0-9A-Za-z_-]{1,80}\.safetensors)"
    r"|indexes/[0-9a-f]{32}\.faiss|proxies/[0-9a-f]{32}\.mp4"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class SharedLabel:
    """What the file says of itself: `files` are (sha256, size in bytes) by name."""

    name: str
    licence: str
    origin: str
    rows: int
    files: dict[str, tuple[str, int]]

    def to_json(self) -> bytes:
        """As it lies in the file."""
        values = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return json.dumps(values, indent=1, ensure_ascii=False).encode()


def read_label(archive: zipfile.ZipFile) -> SharedLabel:
    """The label, once it and the zip's table of contents say the same. Raises SharedFileRefused."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    if len(entries) != len(archive.infolist()) or len(entries) > MAX_FILES:
        raise _refused("it names a file twice, or too many")
    for name, entry in entries.items():
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size or entry.flag_bits & 1:
            raise _refused(f"{name} is compressed or encrypted")
        if name != LABEL and not _NAMES.fullmatch(name):
            raise _refused(f"{name} is no file of a motion database")
    if LABEL not in entries or entries[LABEL].file_size > MAX_LABEL_BYTES:
        raise _refused(f"there is no {LABEL} in it, or a huge one")
    label = _parsed(archive.read(LABEL))
    sizes = {name: entry.file_size for name, entry in entries.items() if name != LABEL}
    if sizes != {name: size for name, (_, size) in label.files.items()}:
        raise _refused("its label names other files, or other sizes, than it holds")
    return label


def _parsed(content: bytes) -> SharedLabel:
    try:
        values: dict[str, Any] = json.loads(content)
        if values["format"] != FORMAT or values["version"] > VERSION:
            raise _refused(f"it is {values['format']!r} of version {values['version']}, this program reads {VERSION}")
        files = {str(name): (str(sha256), int(size)) for name, (sha256, size) in dict(values["files"]).items()}
        label = SharedLabel(
            name=str(values["name"]),
            licence=str(values["licence"]),
            origin=str(values["origin"]),
            rows=int(values["rows"]),
            files=files,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(f"its label cannot be read ({type(error).__name__})") from error
    if any(len(text) > MAX_TEXT for text in (label.name, label.licence, label.origin)):
        raise _refused("its label holds texts without end")
    if not all(_SHA256.fullmatch(sha256) for sha256, _ in files.values()):
        raise _refused("its label holds hashes that are none")
    return label


def _refused(why: str) -> SharedFileRefused:
    return SharedFileRefused(
        f"Expected a motion database as motionrag database pack-up writes it, but {why}: ask its maker for another "
        "copy."
    )

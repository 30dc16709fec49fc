"""The hash of a file's content, read in blocks whatever its size: whoever hashes a file does it here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

BLOCK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """64 hex digits. Raises OSError where the file cannot be read."""
    digest = hashlib.sha256()
    add_content(digest, path)
    return digest.hexdigest()


def add_content(
    digest: _Hash,
    path: Path,
    *,
    start: int = 0,
    end: int | None = None,
    progress: Callable[[], object] | None = None,
) -> None:
    """Go on with a digest over a file's bytes from `start` to `end`, by default all of them.

    `progress` is called after each block. Raises OSError where the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while block := file.read(BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - file.tell())):
            digest.update(block)
            if progress is not None:
                progress()

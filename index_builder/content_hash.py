"""sha256 of a file's content, read in blocks whatever its size."""

from __future__ import annotations

import hashlib
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


def add_content(digest: _Hash, path: Path) -> None:
    """Go on with a digest over a file's content. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)

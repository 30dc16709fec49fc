"""Files mapped into memory for reading. To touch what a file no longer has ends a process without a word (SIGBUS), so
whoever reads from a map asks first whether the file is still as long as the map.

Between asking and reading a file may still be cut short; no program can rule that out for a map. Replaced and removed
files do no harm: the map keeps the old one.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from index_builder.errors import DatabaseDamaged


class MappedFile:
    """The whole of a file, read-only. `content` serves as a buffer."""

    def __init__(self, path: Path) -> None:
        """Raises DatabaseDamaged for a file that is missing, empty or cannot be mapped."""
        self.path = path
        try:
            with path.open("rb") as stream:
                self.content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DatabaseDamaged(
                f"Expected to read {path}, received {error}: restore it from a backup or rebuild."
            ) from error

    def require_whole(self) -> None:
        """Raises DatabaseDamaged when the file is shorter than when it was mapped."""
        if self.content.size() < len(self.content):
            raise DatabaseDamaged(
                f"Expected {len(self.content)} bytes in {self.path}, found {self.content.size()}, so it was cut "
                "short while it was in use: restore it from a backup or rebuild."
            )

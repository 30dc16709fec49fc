"""Known rows: which clips a database holds already, so that a build goes on where an earlier one stopped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from index_builder.database.format.manifest import Manifest, check_size
from index_builder.database.format.rows import RowsFile


class KnownRows:
    """Ids of all committed rows, and the videos of which a row was committed under the same `sampling`.

    Where a video gives one clip, one of unchanged path, size and time of change needs neither hashing nor decoding.
    """

    def __init__(self, database: Path, *, sampling: Mapping[str, Any]) -> None:
        self.database, self.sampling = database, dict(sampling)
        self._segments: set[str] = set()
        self._ids: dict[str, str] = {}
        self._videos: dict[tuple[str, int, int], str] = {}
        self.removed: frozenset[str] = frozenset()

    def absorb(self, manifest: Manifest) -> None:
        """Reads the segments that are new in `manifest`."""
        self.removed = frozenset(manifest.tombstones) | frozenset(manifest.dropped)
        for segment in manifest.segments:
            if segment.name in self._segments:
                continue
            path = check_size(self.database, segment.rows)
            rows = RowsFile.of(path, manifest, segment)
            names = ("source", "source_size_bytes", "source_mtime_ns")
            sources, sizes, times = (rows.column(name) for name in names)
            for row_id, source, size, time in zip(rows.column("id"), sources, sizes, times, strict=True):
                self._ids.setdefault(row_id, source)
                if dict(segment.sampling) == self.sampling:
                    self._videos[source, size, time] = row_id
            self._segments.add(segment.name)

    def row_of(self, source: str, size_bytes: int, mtime_ns: int) -> str | None:
        """The id of a row that came of this very file under this sampling; None when the file is unknown."""
        return self._videos.get((source, size_bytes, mtime_ns))

    def source_of(self, row_id: str) -> str | None:
        """The video a committed row came from; None when there is no such row."""
        return self._ids.get(row_id)

    def present(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that are committed."""
        return {row_id for row_id in ids if row_id in self._ids}

"""Row numbers: which rows carry given ids or come from given videos, found by scanning columns, not by a table of all.

A row's number counts through the segments of a generation in order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from index_builder.database.format.rows import RowsFile

FOLDERS = r"(?s)^.*[/\\]"
SUFFIX = r"(.)\.[^.]+$"


class RowNumbers:
    """Looks rows up by id, or by the path, file name or stem of their video."""

    def __init__(self, rows: Sequence[RowsFile]) -> None:
        self._rows = rows
        self._known: dict[str, int] = {}
        self._sources: list[tuple[pa.Array, pa.Array, pa.Array]] | None = None

    def remember(self, row_id: str, number: int) -> None:
        """Spares a later scan for a row that was just found."""
        self._known[row_id] = number

    def of_ids(self, ids: Collection[str]) -> dict[str, int]:
        """The number of each id that is stored; of one stored twice, the first."""
        unknown = [row_id for row_id in dict.fromkeys(ids) if row_id not in self._known]
        if unknown:
            wanted = pa.array(unknown, pa.string())
            for number, place in self._scan("id", wanted):
                self._known.setdefault(unknown[place], number)
        return {row_id: self._known[row_id] for row_id in ids if row_id in self._known}

    def of_videos(self, names: Collection[str]) -> np.ndarray:
        """Ascending numbers of the rows whose video has one of `names` as its path, file name or stem."""
        wanted, start, found = pa.array(list(names), pa.string()), 0, [np.empty(0, dtype=np.int64)]
        for rows in self._rows:
            rows.require_whole()
        for columns in self._names():
            masks = [pc.is_in(column, value_set=wanted).to_numpy(zero_copy_only=False) for column in columns]
            found.append(start + np.flatnonzero(np.logical_or.reduce(masks)))
            start += len(columns[0])
        return np.concatenate(found)

    def _scan(self, column: str, wanted: pa.Array):
        """(row number, place in `wanted`) of each row whose value is wanted."""
        start = 0
        for rows in self._rows:
            for chunk in rows.chunks(column):
                places = pc.index_in(chunk, value_set=wanted)
                if places.null_count < len(places):
                    for offset in np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False)):
                        yield start + int(offset), places[int(offset)].as_py()
                start += len(chunk)

    def _names(self) -> list[tuple[pa.Array, pa.Array, pa.Array]]:
        """Path, file name and stem of each row's video, as `pathlib` takes them apart; one tuple a segment."""
        if self._sources is None:
            self._sources = []
            for rows in self._rows:
                paths = pa.concat_arrays(list(rows.chunks("source")))
                names = pc.replace_substring_regex(paths, FOLDERS, "")
                self._sources.append((paths, names, pc.replace_substring_regex(names, SUFFIX, r"\1")))
        return self._sources

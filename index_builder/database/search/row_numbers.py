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
        start = 0
        for rows in self._rows if unknown else ():
            for index, place in rows.find_ids(unknown):
                self._known.setdefault(unknown[place], start + index)
            start += rows.row_count
        return {row_id: self._known[row_id] for row_id in ids if row_id in self._known}

    def with_ids(self, ids: Collection[str]) -> np.ndarray:
        """bool [all rows]: which carry one of `ids`."""
        wanted, masks = list(dict.fromkeys(ids)), [np.zeros(0, dtype=bool)]
        for rows in self._rows:
            masks.append(np.zeros(rows.row_count, dtype=bool))
            masks[-1][[index for index, _ in rows.find_ids(wanted)]] = True
        return np.concatenate(masks)

    def of_videos(self, names: Collection[str]) -> np.ndarray:
        """Ascending numbers of the rows whose video has one of `names` as its path, file name or stem."""
        wanted, start, found = pa.array(list(names), pa.string()), 0, [np.empty(0, dtype=np.int64)]
        for rows in self._rows:
            rows.require_whole()
        for columns in self._names():
            masks = [_numpy(pc.is_in(column, value_set=wanted)) for column in columns]
            found.append(start + np.flatnonzero(np.logical_or.reduce(masks)))
            start += len(columns[0])
        return np.concatenate(found)

    def _names(self) -> list[tuple[pa.Array, pa.Array, pa.Array]]:
        """Path, file name and stem of each row's video, as `pathlib` takes them apart; one tuple a segment."""
        if self._sources is None:
            self._sources = []
            for rows in self._rows:
                paths = pa.concat_arrays(list(rows.chunks("source")))
                names = pc.replace_substring_regex(paths, FOLDERS, "")
                self._sources.append((paths, names, pc.replace_substring_regex(names, SUFFIX, r"\1")))
        return self._sources


def _numpy(values: pa.Array) -> np.ndarray:
    array: np.ndarray = values.to_numpy(zero_copy_only=False)
    return array

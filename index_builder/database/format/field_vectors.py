"""The embeddings of one field of all rows, read from the memory-mapped segments as they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate

import numpy as np

from index_builder.database.format.rows import RowsFile
from index_builder.errors import DatabaseDamaged


class StoredVectors:
    """Implements search_index.FieldVectors. Whole segments are kept once read: only those no index covers are."""

    def __init__(self, rows: Mapping[str, RowsFile], field: str, *, dim: int) -> None:
        """`rows` by the names of their segments, in the order in which row numbers count."""
        self._rows, self.field, self.dim = rows, field, dim
        self._files = list(rows.values())
        self._starts = [0, *accumulate(file.row_count for file in self._files)]
        self._whole: dict[str, np.ndarray] = {}

    @property
    def row_count(self) -> int:
        """Rows of all segments."""
        return self._starts[-1]

    def of_segment(self, name: str) -> np.ndarray:
        """float32 [rows, E] of a segment, in the map where that is possible. Raises DatabaseDamaged."""
        self._rows[name].require_whole()
        if name not in self._whole:
            self._whole[name] = _finite(self._rows[name].embeddings(self.field), self.field)
        return self._whole[name]

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """float32 [k, E] of the rows of `numbers`. Raises DatabaseDamaged."""
        found = np.empty((len(numbers), self.dim), dtype=np.float32)
        for segment in np.unique(np.searchsorted(self._starts, numbers, side="right") - 1).tolist():
            self._files[segment].require_whole()
        for place, number in enumerate(numbers.tolist()):
            segment = bisect_right(self._starts, number) - 1
            found[place] = self._files[segment].embedding(self.field, number - self._starts[segment])
        return _finite(found, self.field)

    def parts(self) -> Iterator[np.ndarray]:
        """Of all rows, in parts that are not kept."""
        for file in self._files:
            yield from file.embedding_parts(self.field)


def _finite(vectors: np.ndarray, field: str) -> np.ndarray:
    """The same. Raises DatabaseDamaged for one that compares with nothing."""
    if not np.isfinite(vectors).all():
        raise DatabaseDamaged(
            f"Expected finite {field} embeddings, found inf or nan: find the file with motionrag index verify, and "
            "rebuild the database."
        )
    return vectors

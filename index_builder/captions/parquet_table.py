"""Tables in parquet; of the columns only those that are looked for are read, embeddings beside them cost nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from index_builder.errors import CaptionTableInvalid

BATCH_ROWS = 65_536


def read_parquet(path: Path, wanted: Sequence[str]) -> tuple[list[str], Iterator[tuple[str, Mapping[str, Any]]]]:
    """All names of columns, and the rows with their numbers. Raises CaptionTableInvalid."""
    import pyarrow
    import pyarrow.parquet

    lowered = {name.strip().lower() for name in wanted}
    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = file.schema_arrow.names
        columns = [name for name in names if name.strip().lower() in lowered]
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error

    def rows() -> Iterator[tuple[str, Mapping[str, Any]]]:
        number = 0
        try:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", row
        except (pyarrow.ArrowException, OSError) as error:
            raise _unreadable(path, error) from error

    return names, rows()


def _unreadable(path: Path, error: Exception) -> CaptionTableInvalid:
    return CaptionTableInvalid(f"expected a parquet file in {path.name}, but reading failed ({error}): write it again")

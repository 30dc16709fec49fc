"""Tables in parquet; of the columns only those that are looked for are read, embeddings beside them cost nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from index_builder.errors import CaptionTableInvalid
from index_builder.parquet_rows import ParquetRows, ParquetTooLarge


def read_parquet(path: Path, wanted: Sequence[str]) -> tuple[list[str], Iterator[tuple[str, Mapping[str, Any]]]]:
    """All names of columns, and the rows with their numbers. Raises CaptionTableInvalid."""
    import pyarrow

    lowered = {name.strip().lower() for name in wanted}
    try:
        file = ParquetRows(path)
    except ParquetTooLarge as error:
        raise _too_large(path, error) from error
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error

    def rows() -> Iterator[tuple[str, Mapping[str, Any]]]:
        columns = [name for name in file.names if name.strip().lower() in lowered]
        try:
            for number, row in enumerate(file.read(columns), start=1):
                yield f"row {number}", row
        except ParquetTooLarge as error:
            raise _too_large(path, error) from error
        except (pyarrow.ArrowException, OSError) as error:
            raise _unreadable(path, error) from error

    return file.names, rows()


def _too_large(path: Path, error: Exception) -> CaptionTableInvalid:
    return CaptionTableInvalid(
        f"Expected a table of paths and captions in {path.name}, but it unfolds to too much ({error}): split it."
    )


def _unreadable(path: Path, error: Exception) -> CaptionTableInvalid:
    return CaptionTableInvalid(f"Expected a parquet file in {path.name}, but reading failed ({error}): write it again.")

"""Reads job tables as people have them: CSV of any common separator and encoding, JSON lines, Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index_builder.parquet_rows import ParquetRows, ParquetTooLarge
from motionrag_nodes.batch_render.errors import JobTableError
from motionrag_nodes.batch_render.jobs.table_text import decoded, separator

NAME_COLUMN = "name"
_REMARK = "#"  # columns whose names begin with it are for people


@dataclass(frozen=True)
class TableRow:
    """One row of a job table: values by "NODE.INPUT"; empty cells leave the workflow's own value."""

    number: int  # line in the file where the row begins, header = 1
    name: str | None
    values: dict[str, str]
    decimal_comma: bool = False  # whether "0,5" is a number here, as where the separator is a semicolon


def read_job_table(path: Path, *, encoding: str | None = None) -> list[TableRow]:
    """Reads a table whose columns are NODE.INPUT, with an optional `name` column: CSV, .jsonl or .parquet.

    CSV may be separated by commas, semicolons, tabs or bars, and be UTF-8 or UTF-16; `encoding` names any other.
    Columns that begin with # are left out, as are rows without any value.
    Raises JobTableError: unreadable, no rows, a column of another form, a row with more cells than the header.
    """
    kind = path.suffix.lower()
    readers: dict[str, Callable[[Path], list[TableRow]]] = {
        ".jsonl": _read_json_lines,
        ".ndjson": _read_json_lines,
        ".parquet": _read_parquet,
        ".pq": _read_parquet,
    }
    if kind in (".xlsx", ".xls", ".ods"):
        raise JobTableError(
            f"Expected a table as CSV, .jsonl or .parquet, received the spreadsheet {path}: save it as CSV (UTF-8)."
        )
    try:
        rows = readers[kind](path) if kind in readers else _read_csv(path, encoding)
    except OSError as error:
        raise JobTableError(
            f"Expected a job table at {path}, but it cannot be read ({error.strerror or error}): check the path."
        ) from error
    if not rows:
        raise JobTableError(f"Expected rows under the header of {path}, found none: add a row per job.")
    return rows


def _read_csv(path: Path, encoding: str | None) -> list[TableRow]:
    text, first_line = decoded(path, encoding), 1
    mark, text = separator(text)
    if mark.announced:
        first_line = 2
    # newline="": a cell's own line breaks stay, and lines may end as any system ends them.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark.character, skipinitialspace=True, strict=True)
    lines: list[tuple[int, list[str]]] = []
    began = 1
    try:
        for cells in reader:
            lines.append((began + first_line - 1, cells))
            began = reader.line_num + 1
    except csv.Error as error:
        raise JobTableError(
            f"{path}, line {began + first_line - 1}: Expected a row of CSV, but it cannot be read ({error}). Close its "
            "quotes, and double the quotes inside a quoted cell."
        ) from error
    header = [cell.strip() for cell in lines[0][1]] if lines else []
    _check_columns(path, header)
    rows = []
    for number, cells in lines[1:]:
        if any(cell.strip() for cell in cells[len(header) :]):
            raise JobTableError(
                f"{path}, line {number}: Expected as many cells as in the header, received more: quote values that "
                f"hold {mark.words}."
            )
        row = _row(path, number, zip(header, (cell.strip() for cell in cells), strict=False), empty_is_unset=True)
        if row is not None:
            rows.append(TableRow(row.number, row.name, row.values, decimal_comma=mark.character == ";"))
    return rows


def _read_json_lines(path: Path) -> list[TableRow]:
    rows = []
    for number, line in enumerate(decoded(path, None).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=lambda pairs: pairs, parse_float=str, parse_constant=str)
        except ValueError as error:
            raise JobTableError(
                f"{path}, line {number}: Expected JSON, but it cannot be read ({error}). Write one object a line."
            ) from error
        if not isinstance(record, list) or not all(isinstance(pair, tuple) for pair in record):
            raise JobTableError(
                f'{path}, line {number}: Expected an object such as {{"name": "a", "3.seed": 7}}, received '
                f"{line:.80}: write one object a line."
            )
        _check_columns(path, [name.strip() for name, _ in record], place=f", line {number}")
        row = _row(path, number, ((name.strip(), _as_text(value)) for name, value in record))
        if row is not None:
            rows.append(row)
    return rows


def _read_parquet(path: Path) -> list[TableRow]:
    import pyarrow

    rows = []
    try:
        file = ParquetRows(path)
        _check_columns(path, [str(name).strip() for name in file.names])
        for number, cells in enumerate(file.read(), start=1):
            row = _row(path, number, ((name.strip(), _as_text(value)) for name, value in cells.items()))
            if row is not None:
                rows.append(row)
    except ParquetTooLarge as error:
        raise JobTableError(
            f"Expected a table of some MiB in {path}, but it unfolds to too much ({error}). Split it, or name files in "
            "place of texts."
        ) from error
    except pyarrow.ArrowException as error:
        raise JobTableError(
            f"Expected a Parquet file at {path}, but it cannot be read ({error}): write it again."
        ) from error
    return rows


def _check_columns(path: Path, columns: Sequence[str], *, place: str = "") -> None:
    used = [column for column in columns if column and not column.startswith(_REMARK)]
    wrong = [column for column in used if not _is_name(column) and "." not in column.strip(".")]
    keys = [NAME_COLUMN if _is_name(column) else column for column in used]
    doubled = sorted({key for key in keys if keys.count(key) > 1})
    if wrong or doubled:
        raise JobTableError(
            f"Expected distinct columns of the form NODE.INPUT and optionally {NAME_COLUMN!r} in {path}{place}, "
            f"received {', '.join(map(repr, columns))}. Rename "
            f"{', '.join(map(repr, wrong)) or 'the doubled ones'}{f' ({chr(44).join(doubled)})' if doubled else ''}, "
            "or begin a name with # to leave its column out."
        )


def _row(
    path: Path, number: int, cells: Iterable[tuple[str, str | None]], *, empty_is_unset: bool = False
) -> TableRow | None:
    name: str | None = None
    values: dict[str, str] = {}
    for column, value in cells:
        if value is None or (value == "" and (empty_is_unset or _is_name(column))) or column.startswith(_REMARK):
            continue
        if not column:
            raise JobTableError(
                f"{path}, line {number}: Expected a column name above each cell, found none above {value[:40]!r}: name "
                "its column."
            )
        if "\0" in value:
            raise JobTableError(f"{path}, line {number}: Expected text under {column!r}, found a zero byte: remove it.")
        value = value.replace("\r\n", "\n").replace("\r", "\n")
        if _is_name(column):
            name = value
        else:
            values[column] = value
    return TableRow(number=number, name=name, values=values) if name is not None or values else None


def _is_name(column: str) -> bool:
    return column.lower() == NAME_COLUMN


def _as_text(value: Any) -> str | None:
    """A typed cell as the text that a CSV would hold; None where it holds nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(_plain(value), ensure_ascii=False)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _plain(value: Any) -> Any:
    """Objects back from the pairs that they were read as."""
    if isinstance(value, list) and value and all(isinstance(pair, tuple) for pair in value):
        return {name: _plain(inner) for name, inner in value}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value

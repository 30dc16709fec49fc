"""Caption tables: one reader a dialect, and the same rows out of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index_builder.captions.delimited import read_delimited
from index_builder.captions.json_table import read_json, read_json_lines
from index_builder.captions.parquet_table import read_parquet
from index_builder.captions.text import MAX_CAPTION_CHARACTERS, cleaned
from index_builder.captions.webdataset import read_tar_captions
from index_builder.clips.windows import ClipWindow
from index_builder.errors import CaptionTableInvalid

# In the order in which they are looked for; file_name is Hugging Face's, key video2dataset's and WebDataset's.
PATH_COLUMNS = (
    "path",
    "video_path",
    "file_path",
    "filepath",
    "file",
    "file_name",
    "filename",
    "video",
    "video_name",
    "key",
    "__key__",
)
CAPTION_COLUMNS = ("caption", "text", "motion_caption", "prompt")
START_COLUMN, END_COLUMN = "start_sec", "end_sec"

# What a dialect gives: its columns, and its rows with the name of their place, e.g. "line 3".
Rows = Iterable[tuple[str, Mapping[str, Any]]]
Reader = Callable[[Path, Sequence[str]], tuple[list[str], Rows]]
READERS: dict[str, Reader] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".parquet": read_parquet,
    ".pq": read_parquet,
    ".tar": read_tar_captions,
}


@dataclass(frozen=True, slots=True)
class CaptionRow:
    """What a row says: the video's name as it stands there, its caption (empty: it says none) and further ones, and the
    clip's window where the row has one of its own. `place` says where it stands, e.g. "line 3"."""

    name: str
    caption: str
    place: str
    window: ClipWindow | None = None
    further: tuple[str, ...] = ()

    @property
    def captions(self) -> tuple[str, ...]:
        """All that are there."""
        return tuple(filter(None, (self.caption, *self.further)))


@dataclass(frozen=True, kw_only=True)
class CaptionTable:
    """The rows of a table that name a video. problems: rows that could not be used, each with its place and reason."""

    path: Path
    column: str
    rows: tuple[CaptionRow, ...]
    problems: tuple[str, ...]


def read_table(path: Path, *, caption_column: str | None = None) -> CaptionTable:
    """Reads a table: .csv or .tsv (comma, semicolon, tab or bar; UTF-8 or UTF-16), .jsonl, .json, .parquet, or a
    WebDataset .tar. Its columns: the video's path, file name or stem (see PATH_COLUMNS), the caption (`caption_column`,
    else the first of CAPTION_COLUMNS), and, where clips have windows of their own, start_sec and end_sec.

    Raises CaptionTableInvalid when it is missing, cannot be parsed, or lacks a column.
    """
    if not path.is_file():
        raise CaptionTableInvalid(f"Expected a caption table, received {path}, which is no file: check --captions.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise CaptionTableInvalid(
            f"Expected a caption table of {', '.join(READERS)}, received {path.name}: convert it to one of these."
        )
    wanted = (caption_column,) if caption_column else CAPTION_COLUMNS
    columns, rows = reader(path, (*PATH_COLUMNS, *wanted, START_COLUMN, END_COLUMN))
    named = {str(column).strip().lower(): column for column in columns}
    path_column = _first(named, PATH_COLUMNS)
    column = _first(named, [name.strip().lower() for name in wanted])
    if path_column is None or column is None:
        raise CaptionTableInvalid(
            f"Expected a column path (or video, file, file_name, key) and a column {' or '.join(wanted)} in "
            f"{path.name}, received {', '.join(map(str, columns)) or 'none'}: rename the columns, or name the one with "
            "the captions (--caption-column)."
        )
    _require_different(columns, (path_column, column, START_COLUMN, END_COLUMN), path)
    problems: list[str] = []
    windows = named.get(START_COLUMN), named.get(END_COLUMN)
    found = tuple(_rows(rows, path_column, column, windows, problems))
    return CaptionTable(path=path, column=str(column), rows=found, problems=tuple(problems))


def _first(named: Mapping[str, str], wanted: Sequence[str]) -> str | None:
    return next((named[name] for name in wanted if name in named), None)


def _require_different(columns: Sequence[str], used: Sequence[str], path: Path) -> None:
    names = [str(column).strip().lower() for column in columns]
    for column in used:
        if names.count(str(column).strip().lower()) > 1:
            raise CaptionTableInvalid(
                f"Expected one column {column} in {path.name}, received {names.count(str(column).strip().lower())}: "
                "rename all but the one that is meant."
            )


def _rows(
    rows: Rows, path_column: str, column: str, windows: tuple[str | None, str | None], problems: list[str]
) -> Iterator[CaptionRow]:
    start_column, end_column = windows
    for place, row in rows:
        name = _name_in(row.get(path_column))
        if not name:
            problems.append(f"{place} names no video")
            continue
        try:
            caption, *further = _texts(row.get(column), name)
            window = _window(_cell(row, start_column), _cell(row, end_column))
            yield CaptionRow(name, caption, place, window, tuple(further))
        except (ValueError, TypeError) as error:
            problems.append(f"{place}: {error}")


def _texts(value: Any, name: str) -> list[str]:
    """The captions of a cell, at least one, which may be empty. Raises ValueError."""
    texts = [cleaned(_text(part, name)) for part in value] if isinstance(value, list | tuple) else []
    texts = [text for text in texts if text] if texts else [cleaned(_text(value, name))]
    for text in texts:
        if len(text) > MAX_CAPTION_CHARACTERS:
            raise ValueError(
                f"the caption of {name} has {len(text):,} characters, over the limit of {MAX_CAPTION_CHARACTERS:,}"
            )
    return texts or [""]


def _text(value: Any, name: str) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, Mapping | list | tuple) and value:
        raise ValueError(f"the caption of {name} is no text but a {type(value).__name__}")
    return value or "" if isinstance(value, Mapping | list | tuple) else value


def _cell(row: Mapping[str, Any], column: str | None) -> Any:
    return row.get(column) if column else None


def _name_in(value: Any) -> str:
    """A path as text; of a video that is stored in the table, its path alone."""
    return cleaned(value.get("path") if isinstance(value, Mapping) else value)


def _window(start: Any, end: Any) -> ClipWindow | None:
    """In whole milliseconds. Raises ValueError."""
    if not cleaned(start) and not cleaned(end):
        return None
    try:
        start_sec, end_sec = float(start), float(end)
    except (TypeError, ValueError):
        start_sec = end_sec = math.nan
    if not (math.isfinite(start_sec) and math.isfinite(end_sec) and 0 <= start_sec and end_sec - start_sec >= 0.001):
        raise ValueError(f"expected seconds with 0 <= start_sec < end_sec, received {start} and {end}")
    return ClipWindow(round(start_sec * 1000), round(end_sec * 1000))

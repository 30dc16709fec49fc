"""Captions of videos: from a table (csv or parquet), else from a .txt beside the video, else absent."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from index_builder.clips.find import VideoFile
from index_builder.errors import CaptionTableInvalid

PATH_COLUMNS = ("path", "video", "file")
CAPTION_COLUMN = "caption"
MAX_SIDECAR_BYTES = 1 << 20


@dataclass(frozen=True)
class Captions:
    """Looks captions up for found videos.

    `by_path` holds absolute paths, `by_name` the names as the table gives them (relative paths, file names, stems).
    A name given twice with different captions is ambiguous, so it counts for neither (`ambiguous`).
    """

    by_path: Mapping[str, str] = field(default_factory=dict)
    by_name: Mapping[str, str] = field(default_factory=dict)
    ambiguous: frozenset[str] = frozenset()

    def of(self, video: VideoFile) -> str | None:
        """The caption of `video`, or None: by path, by path under its input, by name, by stem, from its sidecar."""
        relative = video.path.relative_to(video.root).as_posix()
        for table, key in (
            (self.by_path, str(video.path)),
            (self.by_name, relative),
            (self.by_name, f"{video.root.name}/{relative}"),
            (self.by_name, video.path.name),
            (self.by_name, video.path.stem),
        ):
            if key in table and key not in self.ambiguous:
                return table[key] or None
        return read_sidecar(video.path)


def read_sidecar(video: Path) -> str | None:
    """The text of `clip.txt` or `clip.mp4.txt` beside `clip.mp4`, on one line; None where there is none."""
    for sidecar in (video.with_suffix(".txt"), video.with_name(video.name + ".txt")):
        if sidecar.is_file():
            with sidecar.open("rb") as stream:
                text = stream.read(MAX_SIDECAR_BYTES).decode("utf-8-sig", errors="replace")
            return _one_line(text) or None
    return None


def load_captions(table: Path | None) -> Captions:
    """Reads a caption table with the columns path (or video, or file) and caption; None gives sidecars only.

    Paths in the table may be absolute, relative to the table, relative to an input folder, bare names or stems.
    Raises CaptionTableInvalid when the file is missing, cannot be parsed or lacks a column.
    """
    if table is None:
        return Captions()
    if not table.is_file():
        raise CaptionTableInvalid(f"expected a caption table, received {table}, which is no file: check --captions")
    by_path: dict[str, str] = {}
    by_name: dict[str, str] = {}
    ambiguous: set[str] = set()
    for name, caption in _read_rows(table):
        by_path[os.path.abspath(table.parent / name)] = caption
        cleaned = name.replace("\\", "/").removeprefix("./")
        for key in {cleaned, cleaned.rsplit("/", 1)[-1], Path(cleaned).stem}:
            if by_name.setdefault(key, caption) != caption:
                ambiguous.add(key)
    return Captions(by_path, by_name, frozenset(ambiguous))


def _read_rows(table: Path) -> list[tuple[str, str]]:
    suffix = table.suffix.lower()
    if suffix == ".csv":
        columns, rows = _read_csv(table)
    elif suffix in (".parquet", ".pq"):
        columns, rows = _read_parquet(table)
    else:
        raise CaptionTableInvalid(f"expected a .csv or .parquet caption table, received {table.name}: convert it")
    lowered = {str(column).strip().lower(): column for column in columns}
    path_column = next((lowered[name] for name in PATH_COLUMNS if name in lowered), None)
    if path_column is None or CAPTION_COLUMN not in lowered:
        raise CaptionTableInvalid(
            f"expected the columns path (or video, or file) and caption in {table.name}, received "
            f"{', '.join(map(str, columns)) or 'none'}: rename the columns"
        )
    caption_column = lowered[CAPTION_COLUMN]
    pairs = ((row.get(path_column), row.get(caption_column)) for row in rows)
    return [(str(name).strip(), _one_line(str(caption or ""))) for name, caption in pairs if name and str(name).strip()]


def _read_csv(table: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
            return list(reader.fieldnames or []), rows
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise CaptionTableInvalid(
            f"expected a UTF-8 csv in {table.name}, but reading failed ({error}): save it as UTF-8"
        ) from error


def _read_parquet(table: Path) -> tuple[list[str], list[dict[str, object]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        names = pyarrow.parquet.read_schema(table).names
        wanted = [name for name in names if name.strip().lower() in (*PATH_COLUMNS, CAPTION_COLUMN)]
        return names, pyarrow.parquet.read_table(table, columns=wanted).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise CaptionTableInvalid(
            f"expected a parquet file in {table.name}, but reading failed ({error}): write it anew"
        ) from error


def _one_line(text: str) -> str:
    return " ".join(text.replace("\x00", " ").split())

"""Tables of delimited text, as spreadsheets and scripts write them: by comma, semicolon, tab or bar."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from index_builder.captions.encoding import read_text
from index_builder.errors import CaptionTableInvalid

if TYPE_CHECKING:
    from _csv import Reader

DELIMITERS = (",", ";", "\t", "|")
# Spreadsheets may write their delimiter in a line of its own.
DECLARED = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


def read_delimited(path: Path, wanted: Sequence[str]) -> tuple[list[str], Iterator[tuple[str, Mapping[str, str]]]]:
    """The header, and the rows with their lines. Raises CaptionTableInvalid, for a row with too many fields too: a
    comma in a caption without quotes would cut the caption short in silence."""
    text = read_text(path)
    declared = DECLARED.match(text)
    body = text[declared.end() :] if declared else text
    header = next((line for line in io.StringIO(body, newline="") if line.strip()), "")
    delimiter = declared[1] if declared else _delimiter(header, wanted)
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    first_line = 1 if declared else 0
    names = [name.strip() for name in _header(reader, path)]
    return names, _rows(reader, names, path, first_line)


def _delimiter(header: str, wanted: Sequence[str]) -> str:
    """The one that parts the header into most of the columns that are looked for."""

    def known(delimiter: str) -> int:
        names = next(csv.reader([header], delimiter=delimiter), [])
        return len({name.strip().lower() for name in names} & {name.lower() for name in wanted})

    return max(DELIMITERS, key=known)


def _header(reader: Reader, path: Path) -> list[str]:
    try:
        return next((fields for fields in reader if any(field.strip() for field in fields)), [])
    except csv.Error as error:
        raise _unreadable(path, reader.line_num, error) from error


def _rows(reader: Reader, names: list[str], path: Path, first_line: int) -> Iterator[tuple[str, Mapping[str, str]]]:
    line = reader.line_num + first_line + 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                if any(field.strip() for field in fields[len(names) :]):
                    raise CaptionTableInvalid(
                        f"Expected {len(names)} fields in line {line} of {path.name}, as in its header, received "
                        f"{len(fields)}: put a caption that holds the delimiter into quotes."
                    )
                yield f"line {line}", dict(zip(names, fields, strict=False))
            line = reader.line_num + first_line + 1
    except csv.Error as error:
        raise _unreadable(path, line, error) from error


def _unreadable(path: Path, line: int, error: csv.Error) -> CaptionTableInvalid:
    return CaptionTableInvalid(
        f"Expected a table in {path.name}, but its line {line} cannot be read ({error}): check its quotes."
    )

"""Tables in JSON: an object a line, or one list of objects, or one object that maps names to captions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from index_builder.captions.encoding import read_text
from index_builder.errors import CaptionTableInvalid

FORMS = 'a list of objects, or an object {"name.mp4": "caption"}'


def read_json_lines(path: Path, wanted: Sequence[str]) -> tuple[list[str], Iterator[tuple[str, Mapping[str, Any]]]]:
    """The names of all objects' members, and the objects with their lines. Raises CaptionTableInvalid."""
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            value = _parsed(line, path, f"line {number}")
            rows.append((f"line {number}", _object(value, path, f"line {number}")))
    return _columns(rows), iter(rows)


def read_json(path: Path, wanted: Sequence[str]) -> tuple[list[str], Iterator[tuple[str, Mapping[str, Any]]]]:
    """The names of all objects' members, and the objects with their places. Raises CaptionTableInvalid."""
    value = _parsed(read_text(path), path, "it")
    if isinstance(value, list):
        rows = [(f"entry {place}", _object(entry, path, f"entry {place}")) for place, entry in enumerate(value, 1)]
    elif isinstance(value, dict) and value and all(isinstance(entry, str | None) for entry in value.values()):
        rows = [(f"entry {name}", {"path": name, "caption": entry}) for name, entry in value.items()]
    elif isinstance(value, dict) and value and all(isinstance(entry, dict) for entry in value.values()):
        rows = [(f"entry {name}", {"path": name, **entry}) for name, entry in value.items()]
    else:
        raise CaptionTableInvalid(f"Expected {FORMS} in {path.name}, received another value: convert it.")
    return _columns(rows), iter(rows)


def _parsed(text: str, path: Path, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CaptionTableInvalid(
            f"Expected JSON in {path.name}, but {place} cannot be read ({error}): correct it."
        ) from error


def _object(value: Any, path: Path, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise CaptionTableInvalid(
            f"Expected an object in {place} of {path.name}, received {type(value).__name__}: {FORMS} is read."
        )
    return value


def _columns(rows: list[tuple[str, Mapping[str, Any]]]) -> list[str]:
    return list(dict.fromkeys(name for _, row in rows for name in row))

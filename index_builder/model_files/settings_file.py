"""Reading a JSON file of settings that someone else wrote, within limits, before any library reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from index_builder.border import read_regular
from index_builder.errors import ModelFilesRefused

MAX_BYTES = 64 << 20  # a tokenizer's vocabulary is about 20 MB
MAX_LAYERS = 512
MAX_COUNT = 10_000_000  # no size in a model's settings is larger; vocabularies reach 300,000
# Nothing is made of this size: tokenizers without a limit write 10 ** 30 here.
_UNBOUNDED = frozenset({"model_max_length"})
_NAMES_SOMETHING = (str, list, dict)
_LAYERS_KEY = re.compile(r"(^|_)(layers|depth)(_|$)")


def read_settings(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises ModelFilesRefused: the file is missing, too large, nested too deeply, or holds something else.
    """
    try:
        values = json.loads(read_regular(path, most_bytes=MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error) or type(error).__name__) from error
    if not isinstance(values, dict):
        raise _unreadable(path, f"a {type(values).__name__}")
    return values


def require_keys(
    path: Path,
    values: Mapping[str, Any],
    allowed: Collection[str],
    *,
    refused: Collection[str] | None = None,
    where: str = "",
) -> None:
    """Check that an object has no key but those allowed, and that no number in it is out of all proportion.

    With `refused`, numbers and switches may have other names too, since library versions add and rename them and no
    number leads anywhere; the names in `refused` may not be there at all.

    Raises ModelFilesRefused: names the keys, or the number.
    """
    unknown = sorted(
        str(key)[:60]
        for key, value in values.items()
        if key in (refused or ()) or (key not in allowed and (refused is None or isinstance(value, _NAMES_SOMETHING)))
    )
    if unknown:
        raise ModelFilesRefused(
            f"Expected only known settings in {path}{_at(where)}, found {', '.join(unknown[:5])}: settings that "
            "MotionRAG does not know may make a library run code or ask the network. Remove them from the file."
        )
    require_sizes(path, values, where=where)


def require_sizes(path: Path, values: Any, *, where: str = "") -> None:
    """Raises ModelFilesRefused where a whole number, at any depth, is larger than any model's size."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            if key not in _UNBOUNDED:
                require_sizes(path, value, where=f"{where}.{key}" if where else str(key))
    elif isinstance(values, list):
        for value in values:
            require_sizes(path, value, where=where)
    elif isinstance(values, int) and not isinstance(values, bool) and abs(values) > MAX_COUNT:
        raise ModelFilesRefused(
            f"Expected numbers up to {MAX_COUNT:,} in {path}, received {str(values)[:20]}{_at(where)}: correct the "
            "file, or copy the model again."
        )


def require_layers(path: Path, values: Mapping[str, Any]) -> None:
    """Raises ModelFilesRefused where an object asks for more layers than any model has: each is built one by one."""
    for key, value in values.items():
        counts = value if isinstance(value, list) else [value]
        if _LAYERS_KEY.search(str(key)) and any(isinstance(n, int) and not 0 <= n <= MAX_LAYERS for n in counts):
            raise ModelFilesRefused(
                f"Expected {key} from 0 to {MAX_LAYERS} in {path}, received {str(value)[:60]}: copy the model again."
            )


def _at(where: str) -> str:
    return f" at {where}" if where else ""


def _unreadable(path: Path, found: str) -> ModelFilesRefused:
    return ModelFilesRefused(
        f"Expected a JSON object of settings at {path}, found {found[:200]}: copy the model again."
    )

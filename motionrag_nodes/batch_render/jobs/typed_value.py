"""Gives a text of a table or of `--set` the type that the input declares, and refuses what it cannot be."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.errors import NodeValueError
from motionrag_nodes.batch_render.workflow_file import choices_of

UPLOAD_FLAGS = ("image_upload", "video_upload", "audio_upload", "file_upload")
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1", "1.0"}), frozenset({"false", "no", "off", "0", "0.0"})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?|[+-]?(nan|inf)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"([+-]?\d*),(\d+)")
_SHOWN_CHOICES = 12


def typed_value(text: str, spec: list[Any], *, name: str, decimal_comma: bool = False) -> Any:
    """`text` as the type that object_info names for the input, checked against its range and choices.

    `decimal_comma`: "0,5" is a number. Raises NodeValueError: not of that type, or outside range or choices.
    """
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    choices = choices_of(spec)
    if choices is not None:
        return (
            _several(text, choices, options, name) if _takes_several(options) else _choice(text, choices, options, name)
        )
    kind = spec[0]
    if kind == "INT":
        return _in_range(_whole_number(text, name, decimal_comma), options, name)
    if kind == "FLOAT":
        return _in_range(float(_number(text, name, "a number", decimal_comma)), options, name)
    if kind == "BOOLEAN":
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise NodeValueError(f"{name}: Expected true or false, received {text!r}: it is a switch.")
    if kind in ("STRING", "COMBO"):
        return text
    raise NodeValueError(
        f"{name}: Expected a connection of type {kind}, received a value: set an input of the node that is connected "
        "to it."
    )


def _number(text: str, name: str, words: str, decimal_comma: bool) -> Decimal:
    plain = text.strip()
    comma = _DECIMAL_COMMA.fullmatch(plain)
    if decimal_comma and comma:
        plain = f"{comma.group(1)}.{comma.group(2)}"
    if not _NUMBER.fullmatch(plain):
        hint = f"write {plain.replace(',', '.')} if a decimal is meant" if comma else "write one such as 7"
        raise NodeValueError(f"{name}: Expected {words}, received {text!r}: {hint}.")
    return Decimal(plain)


def _whole_number(text: str, name: str, decimal_comma: bool) -> int:
    """Spreadsheets write 2.0 and 1E+1 for whole numbers, too."""
    number = _number(text, name, "a whole number", decimal_comma)
    if not number.is_finite() or number.adjusted() > 40 or number != number.to_integral_value():
        raise NodeValueError(f"{name}: Expected a whole number, received {text!r}: write one such as 7.")
    return int(number)


def _in_range(value: int | float, options: dict[str, Any], name: str) -> int | float:
    low, high = options.get("min"), options.get("max")
    if (low is not None and value < low) or (high is not None and value > high) or not math.isfinite(value):
        raise NodeValueError(f"{name}: Expected {low} to {high}, received {value}: choose a value in that range.")
    return value


def _choice(text: str, choices: list[Any], options: dict[str, Any], name: str) -> Any:
    exact = [choice for choice in choices if str(choice) == text]
    # A spreadsheet turns the choice "true" into TRUE and 8 into 8.0.
    alike = [choice for choice in choices if _same(choice, text)]
    if exact or len(alike) == 1:
        return (exact or alike)[0]
    if any(options.get(flag) for flag in UPLOAD_FLAGS):
        # A file in a sub-folder of the server's input folder is valid though never listed.
        if "/" in text and not Path(text).is_absolute():
            return text
        raise NodeValueError(
            f"{name}: Expected a file on this machine or in ComfyUI's input folder, found none at {text!r}. Check the "
            "path; it is looked for beside the job table and in the current folder."
        )
    raise NodeValueError(f"{name}: Expected one of its choices, received {text!r}. They are {_some(choices)}.")


def _several(text: str, choices: list[Any], options: dict[str, Any], name: str) -> dict[str, list[Any]]:
    """A list of choices, wrapped as the editor wraps it: a bare list would be read as a connection."""
    try:
        parts = json.loads(text) if text.lstrip().startswith("[") else text.split(",")
    except ValueError:
        raise NodeValueError(f'{name}: Expected a list, received {text!r}: write one such as ["a", "b"].') from None
    return {"__value__": [_choice(str(part).strip(), choices, options, name) for part in parts if str(part).strip()]}


def _takes_several(options: dict[str, Any]) -> bool:
    return bool(options.get("multiselect")) or options.get("multi_select") not in (None, False)


def _same(choice: Any, text: str) -> bool:
    if isinstance(choice, str):
        return choice.lower() == text.lower()
    if isinstance(choice, (int, float)) and not isinstance(choice, bool) and _NUMBER.fullmatch(text):
        return Decimal(text) == Decimal(str(choice))
    return str(choice).lower() == text.lower()


def _some(choices: list[Any]) -> str:
    shown = ", ".join(repr(choice) for choice in choices[:_SHOWN_CHOICES])
    return shown + (f" and {len(choices) - _SHOWN_CHOICES} more" if len(choices) > _SHOWN_CHOICES else "") or "none"

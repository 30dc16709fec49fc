"""Values as the editor's language knows them: whole numbers up to 2^53, an order of names, texts of values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

_EXACT = 2**53
_PLAIN_BELOW = 1e21  # from here on JavaScript writes numbers with an exponent
_LARGEST_INDEX = 2**32 - 2


class _Undefined:
    """What a widget holds that was never given a value. It is left out of the prompt, unlike None (null)."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = _Undefined()


def as_js(value: Any) -> Any:
    """A deep copy of parsed JSON with numbers as JavaScript holds them: 1.0 is 1, and 2^53 + 1 is 2^53."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT else _from_double(_to_double(value))
    if isinstance(value, float):
        return _from_double(value)
    if isinstance(value, Mapping):
        return {str(name): as_js(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_js(item) for item in value]
    return value


def _to_double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _from_double(value: float) -> Any:
    if not math.isfinite(value):
        return None  # JSON has no such number; the editor reads NaN as null
    if not value.is_integer() or abs(value) >= _PLAIN_BELOW:
        return value
    # Of a large number only as many digits are written as tell it from its neighbours: 2^63 is 9223372036854776000.
    return int(value) if abs(value) <= _EXACT else int(Decimal(repr(value)))


def js_text(value: Any) -> str:
    """String(value) of JavaScript."""
    if value is UNDEFINED:
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join("" if item is None else js_text(item) for item in value)
    if isinstance(value, Mapping):
        return "[object Object]"
    if isinstance(value, float):
        return _float_text(value)
    return str(value)


def _float_text(value: float) -> str:
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    if not exponent:
        return text
    if -7 < int(power) < 0:  # Python writes 1e-05 where JavaScript writes 0.00001
        digits = mantissa.replace("-", "").replace(".", "")
        return f"{'-' if value < 0 else ''}0.{'0' * (-int(power) - 1)}{digits}"
    return f"{mantissa}e{'+' if int(power) > 0 else '-'}{abs(int(power))}"


def property_order(names: Iterable[str]) -> list[str]:
    """Names as JavaScript lists an object's: whole numbers first, ascending, then the others as they came."""
    listed = list(names)
    numbers = [name for name in listed if _is_index(name)]
    return sorted(numbers, key=int) + [name for name in listed if not _is_index(name)]


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and str(int(name)) == name and int(name) <= _LARGEST_INDEX


def truthy(value: Any) -> bool:
    """Whether JavaScript takes the value for true: empty lists and objects are."""
    if isinstance(value, list | Mapping):
        return True
    return bool(value)

"""The text of captions: on one line, without what only looks like text."""

from __future__ import annotations

import math
from typing import Any

MAX_CAPTION_CHARACTERS = 100_000
# What programs write where there is no value.
ABSENT = frozenset({"nan", "null", "none", "<na>", "n/a"})


def cleaned(value: Any) -> str:
    """The value on one line; empty where there is none (None, NaN, or the words that stand for them)."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = " ".join(str(value).replace("\x00", " ").split())
    return "" if text.lower() in ABSENT else text

"""What web/messages.js makes of a message, for tests that need no browser."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import index_builder

MAIN = Path(index_builder.__file__).resolve().parents[1] / "locales" / "zh" / "main.json"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
_PLACE = re.compile(r"\\\{([a-z]+)\\\}")
_OWN_PLACE = re.compile(r"\{([a-z]+)\}")


@cache
def messages() -> Mapping[str, str]:
    """English sentence -> the Chinese one."""
    known: Mapping[str, str] = json.loads(MAIN.read_text(encoding="utf-8"))["motionrag"]["messages"]
    return known


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (
            re.compile(
                _PLACE.sub(r"(?P<\1>.*?)", re.escape(english)), re.DOTALL if english.startswith("Expected") else 0
            ),
            own,
        )
        for english, own in messages().items()
    )


def in_chinese(message: str) -> str:
    """The sentence, and the words in its places, where they are known; of other texts each line."""
    for pattern, own in _patterns():
        if found := pattern.fullmatch(message):
            parts = {name: in_chinese(words) for name, words in found.groupdict().items()}
            return _OWN_PLACE.sub(lambda place, parts=parts: parts[place[1]], own)
    return "\n".join(map(in_chinese, message.split("\n"))) if "\n" in message else message

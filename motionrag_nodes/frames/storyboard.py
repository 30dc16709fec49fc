"""A storyboard: what happens one after the other in a long video, as it is written down and in frames."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from index_builder.errors import InvalidSetting

MAX_PARTS = 64
# Of the whole video: a mistyped number shall not keep a card busy for days.
MAX_SECONDS = 300.0
_LINE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*s?\s*[:\uff1a]\s*(\S.*?)\s*")
EXAMPLE = "2: a ball rolls to the right"


@dataclass(frozen=True)
class Part:
    """A part of the video: how many seconds it lasts, and how it moves, in words."""

    seconds: float
    prompt: str


def parse_storyboard(text: str) -> tuple[Part, ...]:
    """Lines "seconds: prompt", for instance "2.5: a ball rolls to the right"; empty lines and those that begin with #
    count for nothing. Raises InvalidSetting for a line of another form, none, or too much of it."""
    parts = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        seconds = float(found[1].replace(",", ".")) if found else 0.0
        if found is None or not 0 < seconds:
            raise InvalidSetting(
                f"Expected lines of seconds, colon and words, received {line.strip()[:60]!r} in line {number}: "
                f"write them as in {EXAMPLE!r}."
            )
        parts.append(Part(seconds, found[2]))
    if not parts:
        raise InvalidSetting(f"Expected a line for each part of the video, received none: write {EXAMPLE!r}.")
    whole = sum(part.seconds for part in parts)
    if len(parts) > MAX_PARTS or whole > MAX_SECONDS:
        raise InvalidSetting(
            f"Expected up to {MAX_PARTS} parts and {MAX_SECONDS:g} s in all, received {len(parts)} of {whole:g} s: "
            "make several videos, each from the last frame of the one before."
        )
    return tuple(parts)


def frames_of(parts: Sequence[Part], *, fps: float) -> list[int]:
    """How many frames each part has, at least one; together they last as long as the parts do."""
    ends = [0]
    for end_sec in accumulate(part.seconds for part in parts):
        ends.append(max(ends[-1] + 1, math.floor(end_sec * fps + 0.5)))
    return [end - begin for begin, end in pairwise(ends)]

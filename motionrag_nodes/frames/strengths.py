"""Several strengths of motion, as they are written down."""

from __future__ import annotations

from index_builder.errors import InvalidSetting

MAX_STRENGTH = 3.0


def parse_strengths(text: str) -> tuple[float, ...]:
    """Numbers from 0 to 3 between commas, each once. Raises InvalidSetting."""
    try:
        found = tuple(dict.fromkeys(float(part) for part in text.split(",") if part.strip()))
    except ValueError:
        found = ()
    if not found or not all(0 <= strength <= MAX_STRENGTH for strength in found):
        raise InvalidSetting(f"Expected strengths from 0 to 3 between commas, received {text!r}: write 0.5, 1, 1.5.")
    return found

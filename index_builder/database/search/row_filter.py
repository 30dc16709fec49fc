"""Row filters: which clips a search or a command is about, by video, caption, length or id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from index_builder.errors import InvalidSetting

if TYPE_CHECKING:
    from index_builder.database.format.rows import RowsFile

# Scripts that put spaces between words; in others a word may stand inside a run of letters.
SPACED = r"\p{Latin}\p{Greek}\p{Cyrillic}\p{N}_"


@dataclass(frozen=True, kw_only=True)
class RowFilter:
    """A row matches when it matches each of the things that are given.

    ids: is one of these. sources: its video is one of these: a path, a file name, a stem, a folder (with all below),
    or, where no video is called so (removed ones count), a pattern with * ? [...] over the path or the file name.
    caption_words: all of these stand in its caption, as whole words, in whatever case. min_seconds, max_seconds: the
    clip's length, both included.
    """

    ids: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    caption_words: tuple[str, ...] = ()
    min_seconds: float | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        low, high = self.min_seconds, self.max_seconds
        if (low is not None and not low >= 0) or (high is not None and not high >= (low or 0)):
            raise InvalidSetting(f"Expected 0 <= min_seconds <= max_seconds, received {low} and {high}: correct them.")
        if not all(text.strip() for text in (*self.ids, *self.sources, *self.caption_words)):
            raise InvalidSetting("Expected ids, sources and caption words, received an empty one: leave it out.")

    @property
    def is_empty(self) -> bool:
        """Whether it lets every row through."""
        return self == RowFilter()

    def matches(self, rows: Sequence[RowsFile]) -> np.ndarray:
        """bool [all rows], in the order of the segments."""
        batches = [rows_file.batch(number) for rows_file in rows for number in rows_file.batch_numbers]
        expression = "|".join(_source_expression(source, batches) for source in self.sources)
        masks = [self._matches_batch(batch, expression) for batch in batches]
        return np.concatenate(masks) if masks else np.zeros(0, dtype=bool)

    def _matches_batch(self, batch: pa.RecordBatch, sources: str) -> np.ndarray:
        mask = np.ones(batch.num_rows, dtype=bool)
        if self.ids:
            mask &= _numpy(pc.is_in(batch.column("id"), value_set=pa.array(self.ids, pa.string())))
        if sources:
            mask &= _numpy(pc.match_substring_regex(batch.column("source"), f"(?s){sources}"))
        for word in " ".join(self.caption_words).split():
            found = pc.match_substring_regex(batch.column("caption"), _whole_word(word))
            mask &= _numpy(pc.fill_null(found, False))
        if self.min_seconds is not None or self.max_seconds is not None:
            # Spans are whole milliseconds.
            seconds = np.round(_numpy(batch.column("end_sec")) - _numpy(batch.column("start_sec")), 3)
            mask &= (seconds >= (self.min_seconds or 0)) & (seconds <= (self.max_seconds or np.inf))
        return mask


def _numpy(values: pa.Array) -> np.ndarray:
    array: np.ndarray = values.to_numpy(zero_copy_only=False)
    return array


def _whole_word(word: str) -> str:
    return f"(?i)(?:^|[^{SPACED}]){re.escape(word)}(?:$|[^{SPACED}])"


def _source_expression(source: str, batches: Sequence[pa.RecordBatch]) -> str:
    """A source as a regular expression: what it says literally, else, where nothing is called so, its pattern."""
    plain = source.rstrip("/\\") or source
    literal = re.escape(plain)
    # A path, or a folder above it; the end of a path, whole names; the same of a stem.
    ways = (rf"^{literal}(?:[/\\]|$)", rf"[/\\]{literal}$", rf"[/\\]{literal}\.[^./\\]+$")
    expression = "|".join(f"(?:{way})" for way in ways)
    if not any(character in plain for character in "*?["):
        return expression
    # Brackets are common in the names of downloads: they are a pattern only where they are no name.
    found = (pc.any(pc.match_substring_regex(batch.column("source"), f"(?s){expression}")) for batch in batches)
    return expression if any(one.as_py() for one in found) else rf"(?:(?:^|[/\\]){_glob(plain)}$)"


def _glob(pattern: str) -> str:
    """A shell pattern as a regular expression of RE2, which knows none of those that `fnmatch` writes."""
    parts = re.findall(r"\[!?[^]]+\]|\*+|\?|[^*?[]+|\[", pattern)
    return "".join(_glob_part(part) for part in parts)


def _glob_part(part: str) -> str:
    if part.startswith("*"):
        return ".*"
    if part == "?":
        return "."
    if part.startswith("[") and part not in ("[", "[!]"):
        inner = part[1:-1]
        negated = inner.startswith("!")
        return f"[{'^' if negated else ''}{re.sub(r'([^0-9A-Za-z-])', lambda m: re.escape(m[1]), inner[negated:])}]"
    return re.escape(part)

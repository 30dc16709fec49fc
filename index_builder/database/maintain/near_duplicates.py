"""Near-duplicates: clips that show nearly the same pictures in nearly the same motion.

Two clips are as alike as the less alike of their first frames (cosine of the frame embeddings) and of their motion
(cosine of the stored motion tokens): a picture that moves in another way is another example of motion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index_builder.database.format.manifest import list_generations
from index_builder.database.format.rows import ClipRow
from index_builder.database.search.motion_search import motion_direction
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import InvalidSetting

FIRST_CANDIDATES = 16
# float32 rounding must not part a clip from its copy.
ROUNDING = 1e-5


@dataclass(frozen=True, kw_only=True)
class NearDuplicate:
    """A row, the earlier one that it resembles, and how much: cosine, at most 1."""

    row_id: str
    original_id: str
    similarity: float


def check_threshold(threshold: float) -> None:
    """Raises InvalidSetting outside (0, 1]."""
    if not 0 < threshold <= 1:
        raise InvalidSetting(f"Expected a similarity above 0, up to 1, received {threshold}: 0.97 is a strict choice.")


def find_near_duplicates(
    database: MotionDatabase, *, threshold: float, progress: Callable[[int, int], None] | None = None
) -> list[NearDuplicate]:
    """Rows that resemble an earlier row at least as much as `threshold`, in the order of their commits; of a group
    the first stays. `progress` hears rows compared and rows in all."""
    check_threshold(threshold)
    ids = database.ids()
    order = {row_id: place for place, row_id in enumerate(ids)}
    found: dict[str, NearDuplicate] = {}
    for place, row_id in enumerate(ids):
        frame = database.embeddings([row_id], "frame")[0]
        for other, similarity in resembling(database, frame, motion_of(database, row_id), threshold):
            if order[other] < place and other not in found:
                found[row_id] = NearDuplicate(row_id=row_id, original_id=other, similarity=similarity)
                break
        if progress:
            progress(place + 1, len(ids))
    return list(found.values())


class NearDuplicateGuard:
    """Keeps a build from adding clips that resemble a row of the database or one that waits to be committed."""

    def __init__(self, database: Path, threshold: float) -> None:
        check_threshold(threshold)
        self.database, self.threshold = database, threshold
        self._opened: MotionDatabase | None = None
        self._waiting: list[tuple[str, np.ndarray, np.ndarray]] = []

    def reason_against(self, row: ClipRow, *, frame: np.ndarray, motion_tokens: np.ndarray) -> str | None:
        """Why the clip should be skipped; without a reason it counts as waiting to be committed."""
        motion = motion_direction(motion_tokens)
        for source, other_frame, other_motion in self._waiting:
            similarity = min(float(other_frame @ frame), float(other_motion @ motion))
            if similarity >= self.threshold - ROUNDING:
                return f"near-duplicate of {source} ({min(similarity, 1.0):.3f})"
        if list_generations(self.database):
            self._opened = self._opened or MotionDatabase.open(self.database)
            for row_id, similarity in resembling(self._opened, frame, motion, self.threshold):
                return f"near-duplicate of {self._opened.rows([row_id])[0].source} ({similarity:.3f})"
        self._waiting.append((row.source, frame, motion))
        return None

    def forget_uncommitted(self) -> None:
        """What waited is in the database now."""
        self._waiting.clear()
        self._opened = None


def resembling(
    database: MotionDatabase, frame: np.ndarray, motion: np.ndarray, threshold: float
) -> list[tuple[str, float]]:
    """Rows that resemble a clip of frame embedding `frame` [E] and motion `motion` (see `motion_direction`), and how
    much, the most alike by first frame first."""
    count = FIRST_CANDIDATES
    least = threshold - ROUNDING
    while True:
        hits = database.search(frame, field="frame", k=count)
        if len(hits) < count or hits[-1].score < least:
            break
        count *= 4
    near = [hit for hit in hits if hit.score >= least]
    alike = [(hit.row_id, min(hit.score, float(motion_of(database, hit.row_id) @ motion))) for hit in near]
    return [(row_id, min(similarity, 1.0)) for row_id, similarity in alike if similarity >= least]


def motion_of(database: MotionDatabase, row_id: str) -> np.ndarray:
    """The direction of a stored row's motion tokens."""
    tokens = database.tokens([row_id], fingerprint=database.tokens_fingerprints[0])
    return motion_direction(tokens.motion_tokens[0])

"""Pruning: a database keeps the clips that matter for retrieval and loses those that others stand for.

What is kept covers all clips in words, pictures and motion (see `cover`). What goes is removed as `remove` does it: one
commit, undone by `restore_rows`, and without a byte less until `compact`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index_builder.database.maintain.coverage import cover
from index_builder.database.maintain.remove import remove_rows
from index_builder.database.search.motion_search import motion_direction
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import InvalidSetting

Progress = Callable[[int, int], None]
SHARES = (0.1, 0.25, 0.5)
# Motion tokens are many numbers; their directions are kept by so few (Johnson and Lindenstrauss).
MOTION_NUMBERS = 128
QUERIES, NEIGHBOURS = 256, 9
PART_ROWS = 512


@dataclass(frozen=True, kw_only=True)
class KeptQuality:
    """What a share keeps. error: how far the mean motion of a clip's nine neighbours by caption lies from its own, in
    variances of motion (0: the same, 1: as far as the mean of all), over `QUERIES` clips that are not their own
    neighbours; random_error: with as many clips drawn by chance."""

    share: float
    clips: int
    error: float
    random_error: float


@dataclass(frozen=True, kw_only=True)
class PruneReport:
    """clips: before; whole_error: as KeptQuality.error, of all clips; kept: clips that stay; removed: ids of those that
    go (with `dry_run`: would go)."""

    database: str
    generation: int
    clips: int
    whole_error: float
    qualities: tuple[KeptQuality, ...]
    kept: int
    removed: tuple[str, ...]
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def prune_database(
    database: Path,
    *,
    keep: float,
    dry_run: bool = False,
    on_table: Callable[[PruneReport], None] | None = None,
    progress: Progress | None = None,
) -> PruneReport:
    """Removes all clips but a share `keep` in (0, 1), at least nine of them, that stands for the rest.

    `on_table` hears what each of SHARES and `keep` keeps before anything is removed. `progress` hears shares chosen and
    shares in all. Raises InvalidSetting, TokensNotStored, DatabaseNotFound, DatabaseDamaged, DatabaseNotWritable.
    """
    if not 0 < keep < 1:
        raise InvalidSetting(f"Expected a share to keep between 0 and 1, received {keep:g}: 0.1 keeps a tenth.")
    opened = MotionDatabase.open(database)
    ids = opened.ids()
    if round(keep * len(ids)) < NEIGHBOURS:
        raise InvalidSetting(
            f"Expected to keep at least {NEIGHBOURS} clips, received a share of {keep:g}, which is "
            f"{round(keep * len(ids))} of {len(ids)}: keep more."
        )
    parts = _Features(opened, ids)
    chosen, qualities = {}, []
    shares = sorted({share for share in (*SHARES, keep) if round(share * len(ids)) >= NEIGHBOURS})
    for done, share in enumerate(shares, start=1):
        chosen[share] = cover(parts.joint, round(share * len(ids)))
        qualities.append(parts.quality(share, chosen[share]))
        if progress:
            progress(done, len(shares))
    stays = set(chosen[keep].tolist())
    gone = tuple(row_id for place, row_id in enumerate(ids) if place not in stays)
    report = PruneReport(
        database=str(database),
        generation=opened.generation,
        clips=len(ids),
        whole_error=parts.error(np.arange(len(ids))),
        qualities=tuple(qualities),
        kept=len(stays),
        removed=gone,
        dry_run=dry_run,
    )
    if on_table:
        on_table(report)
    if gone and not dry_run:
        remove_rows(database, RowFilter(ids=gone))
    return report


class _Features:
    """What clips are compared by, float32 [N, F] each, rows of length 1, and how well some clips stand for all."""

    def __init__(self, opened: MotionDatabase, ids: Sequence[str]) -> None:
        # Captions beside each other where there are any; clips without one are compared by their pictures.
        text, motion = opened.embeddings(ids, "text"), _motions(opened, ids)
        self.text, self.motion = _centred(text), _centred(motion)
        # Not centred: where one motion is frequent, its clips lie at the centre, and only noise would tell them apart.
        fields = (text, opened.embeddings(ids, "frame"), motion)
        self.joint = _normalised(np.concatenate([_evenly_spread(field) for field in fields], axis=1))
        self.queries = np.unique(np.linspace(0, len(ids) - 1, min(QUERIES, len(ids))).astype(int))

    def quality(self, share: float, kept: np.ndarray) -> KeptQuality:
        """Of the rows `kept`, beside as many by chance (the mean of three draws)."""
        draws = [
            np.sort(np.random.default_rng(seed).choice(len(self.text), len(kept), replace=False)) for seed in range(3)
        ]
        chance = float(np.mean([self.error(drawn) for drawn in draws]))
        return KeptQuality(share=share, clips=len(kept), error=self.error(kept), random_error=chance)

    def error(self, kept: np.ndarray) -> float:
        """See KeptQuality."""
        likeness = self.text[self.queries] @ self.text[kept].T
        likeness[self.queries[:, None] == kept[None, :]] = -np.inf
        nearest = kept[np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]]
        found = self.motion[nearest].mean(axis=1)
        own = self.motion[self.queries]
        return float(np.square(found - own).sum(axis=1).mean() / np.square(own - own.mean(axis=0)).sum(axis=1).mean())


def _motions(opened: MotionDatabase, ids: Sequence[str]) -> np.ndarray:
    """Directions of motion tokens, projected onto few numbers at random, the same ones each time."""
    space = opened.manifest.tokens[0]
    width = space.tokens_per_clip * space.token_dim
    count = min(width, MOTION_NUMBERS)
    projection = np.eye(width, dtype=np.float32)
    if count < width:
        drawn = np.random.default_rng(0).normal(size=(width, count))
        projection = (drawn / np.sqrt(count)).astype(np.float32)
    parts = [np.empty((0, count), dtype=np.float32)]
    for start in range(0, len(ids), PART_ROWS):
        tokens = opened.tokens(ids[start : start + PART_ROWS], fingerprint=space.fingerprint)
        parts.append(motion_direction(tokens.motion_tokens) @ projection)
    return np.concatenate(parts)


def _centred(vectors: np.ndarray) -> np.ndarray:
    """What all have in common tells none apart."""
    return _normalised(vectors - vectors.mean(axis=0))


def _evenly_spread(vectors: np.ndarray) -> np.ndarray:
    """Scaled so that the rows lie one apart from their mean, on average; as they are where all are the same."""
    spread = float(np.square(vectors - vectors.mean(axis=0)).sum(axis=1).mean()) ** 0.5
    return vectors / spread if spread > 1e-6 else vectors


def _normalised(vectors: np.ndarray) -> np.ndarray:
    normalised: np.ndarray = (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(
        np.float32
    )
    return normalised

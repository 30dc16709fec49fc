"""Choosing few clips that stand for all: those that cover the rest best, in words, pictures and motion.

The measure is facility location: the sum, over all clips, of the likeness to the most alike one that is kept. Greedy
choice comes within 1 - 1/e of the best possible; each step looks at a sample of candidates (Mirzasoleiman et al.,
Lazier Than Lazy Greedy, AAAI 2015).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

CELL_ROWS = 2048
SLACK = 0.05

Progress = Callable[[int, int], None]


def cover(features: np.ndarray, count: int, *, seed: int = 0, progress: Progress | None = None) -> np.ndarray:
    """features float32 [N, F], each row of length 1 -> places int [count], ascending, of the rows to keep.

    Large sets are parted into cells of alike rows first, which give in proportion. `progress` hears rows chosen and
    rows to choose.
    """
    rng = np.random.default_rng(seed)
    kept: list[np.ndarray] = []
    done = 0
    for members, share in _cells(features, count, rng):
        kept.append(members[_greedy(features[members], share, rng)])
        done += share
        if progress:
            progress(done, count)
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, dtype=np.int64)


def _cells(features: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, int]]:
    """Rows that are alike, and how many of them are kept: together `count`."""
    if len(features) <= 2 * CELL_ROWS:
        yield np.arange(len(features)), count
        return
    import faiss

    cells = -(-len(features) // CELL_ROWS)
    clustering = faiss.Kmeans(features.shape[1], cells, niter=10, seed=int(rng.integers(1 << 30)), verbose=False)
    clustering.train(np.ascontiguousarray(features))
    nearest = clustering.assign(np.ascontiguousarray(features))[1]
    sizes = np.bincount(nearest, minlength=cells)
    # The largest remainders round up, so that the shares add up.
    exact = sizes * count / len(features)
    shares = np.floor(exact).astype(int)
    shares[np.argsort(shares - exact, kind="stable")[: count - shares.sum()]] += 1
    for cell in np.flatnonzero(shares):
        yield np.flatnonzero(nearest == cell), int(shares[cell])


def _greedy(features: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Places of `count` rows that cover all; features [n, F]."""
    if count >= len(features):
        return np.arange(len(features))
    covered = np.full(len(features), -1.0, dtype=np.float32)
    left = np.ones(len(features), dtype=bool)
    looked_at = max(1, math.ceil(len(features) / count * math.log(1 / SLACK)))
    chosen = []
    for _ in range(count):
        free = np.flatnonzero(left)
        candidates = rng.choice(free, min(looked_at, len(free)), replace=False)
        likeness = features[candidates] @ features.T
        gains = np.maximum(likeness - covered, 0).sum(axis=1)
        best = int(gains.argmax())
        chosen.append(int(candidates[best]))
        left[candidates[best]] = False
        covered = np.maximum(covered, likeness[best])
    return np.array(chosen, dtype=np.int64)

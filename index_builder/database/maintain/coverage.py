"""Choosing few clips that stand for all: those that cover the rest best, in words, pictures and motion.

The measure is facility location: the sum, over all clips, of the likeness to the most alike one that is kept, where a
clip counts the less the more others are like it, so that a rare motion counts as much as a frequent one. Greedy choice
comes within 1 - 1/e of the best possible; each step looks at a sample of candidates (Mirzasoleiman et al., Lazier Than
Lazy Greedy, AAAI 2015).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

CELL_ROWS = 2048
SLACK = 0.05
# Clips are like each other up to about this share of the mean squared distance.
WIDTH = 0.2

Progress = Callable[[int, int], None]


def cover(features: np.ndarray, count: int, *, seed: int = 0, progress: Progress | None = None) -> np.ndarray:
    """features float32 [N, F], each row of length 1 -> places int [count], ascending, of the rows to keep.

    Large sets are parted into cells of alike rows first, which give in proportion to their weight. `progress` hears
    rows chosen and rows to choose.
    """
    rng = np.random.default_rng(seed)
    kept: list[np.ndarray] = []
    done = 0
    weights = _weights(features, rng)
    for members, share in _cells(features, weights, count, rng):
        kept.append(members[_greedy(features[members], weights[members], share, rng)])
        done += share
        if progress:
            progress(done, count)
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, dtype=np.int64)


def _weights(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float32 [N], above 0 up to 1: one over how many rows a row is like; in large sets by a sample of them."""
    many = len(features) > 2 * CELL_ROWS
    sample = features[rng.choice(len(features), 2 * CELL_ROWS, replace=False)] if many else features
    mean = max(2 - 2 * float(np.square(sample.mean(axis=0)).sum()), 1e-6)  # of the squared distances of two rows
    alike = [np.empty(0, dtype=np.float32)]
    for start in range(0, len(features), CELL_ROWS):
        distances = 2 - 2 * features[start : start + CELL_ROWS] @ sample.T
        alike.append(np.exp(-distances / (WIDTH * mean)).sum(axis=1))
    # A row of the sample stands for several: one that is like none of it is taken to be like as many.
    return (len(sample) / len(features) / np.maximum(np.concatenate(alike), 1)).astype(np.float32)


def _cells(
    features: np.ndarray, weights: np.ndarray, count: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, int]]:
    """Rows that are alike, and how many of them are kept: together `count`."""
    if len(features) <= 2 * CELL_ROWS:
        yield np.arange(len(features)), count
        return
    import faiss

    cells = -(-len(features) // CELL_ROWS)
    clustering = faiss.Kmeans(features.shape[1], cells, niter=10, seed=int(rng.integers(1 << 30)), verbose=False)
    clustering.train(np.ascontiguousarray(features))
    nearest = clustering.assign(np.ascontiguousarray(features))[1]
    heavy = np.bincount(nearest, weights=weights, minlength=cells)
    for cell, share in enumerate(_shares(heavy, np.bincount(nearest, minlength=cells), count)):
        if share:
            yield np.flatnonzero(nearest == cell), share


def _shares(heavy: np.ndarray, sizes: np.ndarray, count: int) -> list[int]:
    """How many rows each cell gives: by its weight, as far as it has so many; together `count`, at most all."""
    shares = np.zeros(len(sizes), dtype=int)
    while (left := min(count, int(sizes.sum())) - int(shares.sum())) > 0:
        exact = np.where(shares < sizes, heavy, 0)
        exact = exact * left / exact.sum()
        step = np.floor(exact).astype(int)
        # The largest remainders round up, so that the shares add up.
        step[np.argsort(step - exact, kind="stable")[: left - step.sum()]] += 1
        shares = np.minimum(shares + step, sizes)
    return shares.tolist()


def _greedy(features: np.ndarray, weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Places of `count` rows that cover all, each as it weighs; features [n, F], weights [n]."""
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
        gains = np.maximum(likeness - covered, 0) @ weights
        best = int(gains.argmax())
        chosen.append(int(candidates[best]))
        left[candidates[best]] = False
        covered = np.maximum(covered, likeness[best])
    return np.array(chosen, dtype=np.int64)

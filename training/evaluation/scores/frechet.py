"""Frechet distance between two sets of clips in a motion encoder's features, as FVD does with I3D's."""

from __future__ import annotations

import numpy as np

# Covariances of a hundred clips are no estimate in 128 dimensions: the distance is taken in the principal directions
# of the real clips, never more than a third as many as there are clips.
MOST_DIRECTIONS = 16
CLIPS_PER_DIRECTION = 3


def principal_directions(real: np.ndarray) -> np.ndarray:
    """[N, C] -> orthonormal [C, d], d = min(16, N / 3): the directions in which real clips differ most."""
    centred = real - real.mean(0)
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    return rows[: max(1, min(MOST_DIRECTIONS, len(real) // CLIPS_PER_DIRECTION))].T


def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of [N, d] and [M, d] (Dowson and Landau 1982)."""
    first, second = np.cov(real.T, ddof=1), np.cov(generated.T, ddof=1)
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    # (S1 S2)^(1/2) has the trace of (S1^(1/2) S2 S1^(1/2))^(1/2), which is symmetric
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    apart = ((real.mean(0) - generated.mean(0)) ** 2).sum()
    return float(apart + np.trace(first) + np.trace(second) - 2 * cross)

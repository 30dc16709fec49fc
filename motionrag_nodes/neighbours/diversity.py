"""Diversity: maximal marginal relevance, so that K examples show more than one motion K times."""

from __future__ import annotations

import numpy as np


def most_diverse(
    scores: np.ndarray, vectors: np.ndarray, *, count: int, diversity: float, taken: np.ndarray | None = None
) -> list[int]:
    """Positions of up to `count` candidates, in the order they are chosen.

    scores: float [n], similarity to the query; vectors: float32 [n, E], normalised. Each step takes the candidate with
    the largest (1 - diversity) * score - diversity * (similarity to the nearest one chosen), with diversity in [0, 1]
    (Carbonell and Goldstein, SIGIR 1998); the first is the most similar one. taken: float32 [m, E], what was chosen
    before.
    """
    chosen: list[int] = []
    begun = taken is not None and len(taken) > 0
    nearest = (
        (vectors @ taken.T).max(axis=1) if taken is not None and begun else np.zeros(len(scores), dtype=np.float32)
    )
    remaining = np.ones(len(scores), dtype=bool)
    for _ in range(min(count, len(scores))):
        value = scores if not (chosen or begun) else (1 - diversity) * scores - diversity * nearest
        best = int(np.argmax(np.where(remaining, value, -np.inf)))
        similarity = vectors @ vectors[best]
        nearest = np.maximum(nearest, similarity) if chosen or begun else similarity
        chosen.append(best)
        remaining[best] = False
    return chosen

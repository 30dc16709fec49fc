"""What looks say in captions: the directions of caption embeddings that first frames foretell.

Captions name objects as well as movement, so the nearest caption is often of the same object. What a linear map
foretells of a caption from its clip's first frame, which shows no movement, is about looks; without it captions are
compared by what is left (after the counterfactual representations of CausaLM, Feder et al. 2021, made by projection).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from index_builder.errors import InvalidSetting

if TYPE_CHECKING:
    from index_builder.database.search.reader import MotionDatabase

FEWEST_CAPTIONS = 64
MAX_CAPTIONS = 20_000
# Relative to the mean variance of first frames: keeps the map from following single clips.
_RIDGE = 0.1
# Directions are taken until they hold this much of what is foretold; measured by training.evaluation.motion_retrieval.
_ENERGY = 0.99

_parts: WeakKeyDictionary[MotionDatabase, AppearancePart] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class AppearancePart:
    """mean: float32 [E] of captions; directions: float32 [R, E], orthonormal, what first frames foretell."""

    mean: np.ndarray
    directions: np.ndarray

    def removed(self, text: np.ndarray, strength: float = 1.0) -> np.ndarray:
        """Caption embeddings [k, E] -> float32 [k, E], normalised, without that `strength` of what looks foretell."""
        left = self._reduced(text - self.mean, strength)
        normalised: np.ndarray = left / np.maximum(np.linalg.norm(left, axis=-1, keepdims=True), 1e-12)
        return normalised

    def asked_for(self, query: np.ndarray, strength: float = 1.0) -> np.ndarray:
        """What to search stored captions with, for a query as `removed` gives it: its product with a caption is, but
        for a constant, that of the two without looks."""
        return self._reduced(query, strength)

    def _reduced(self, vectors: np.ndarray, strength: float) -> np.ndarray:
        foretold = (vectors @ self.directions.T) @ self.directions
        reduced: np.ndarray = (vectors - strength * foretold).astype(np.float32)
        return reduced


def fit_appearance(text: np.ndarray, frame: np.ndarray) -> AppearancePart:
    """From captions [N, E] and their clips' first frames [N, F]. Raises InvalidSetting for too few."""
    if len(text) < FEWEST_CAPTIONS:
        raise InvalidSetting(
            f"Expected at least {FEWEST_CAPTIONS} clips with captions to tell looks from motion, received {len(text)}: "
            "index more, or search without ignoring looks."
        )
    mean = text.mean(axis=0)
    captions, looks = (text - mean).astype(np.float64), (frame - frame.mean(axis=0)).astype(np.float64)
    gram = looks.T @ looks
    ridge = _RIDGE * np.trace(gram) / len(gram) + 1e-12
    foretold = looks @ np.linalg.solve(gram + ridge * np.eye(len(gram)), looks.T @ captions)
    energies, directions = np.linalg.eigh(foretold.T @ foretold)
    energies, directions = energies[::-1].clip(min=0), directions[:, ::-1]
    held = np.cumsum(energies) / max(energies.sum(), 1e-12)
    count = min(int(np.searchsorted(held, _ENERGY)) + 1, len(energies) - 1)
    if energies[0] <= 1e-9 * np.square(captions).sum():
        count = 0  # all first frames are alike: nothing can be foretold
    return AppearancePart(
        mean=mean.astype(np.float32),
        directions=np.ascontiguousarray(directions[:, :count].T, dtype=np.float32),
    )


def appearance_of(database: MotionDatabase) -> AppearancePart:
    """What looks say in the captions of an opened database; found once. Raises InvalidSetting for too few captions."""
    if database not in _parts:
        ids = [row_id for row_id, caption in database.each_row("id", "caption") if caption is not None]
        chosen = [ids[place] for place in np.linspace(0, len(ids) - 1, min(len(ids), MAX_CAPTIONS)).astype(int)]
        text, frame = (database.embeddings(chosen, field) for field in ("text", "frame")) if chosen else (_NONE, _NONE)
        _parts[database] = fit_appearance(text, frame)
    return _parts[database]


_NONE = np.zeros((0, 1), np.float32)

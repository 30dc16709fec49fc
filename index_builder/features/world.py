"""The world that an encoder learned: how far embeddings lie from those of its training, so that clips and prompts of
another world can be told.

The measure is that of principal component analysis for novelty: deviations along the components of the training
embeddings, in their own spreads, and what lies outside all components, in the spread of that. See Jackson and
Mudholkar, Control Procedures for Residuals Associated with Principal Component Analysis, Technometrics 1979.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from index_builder.errors import InvalidSetting

COMPONENTS = 32
# Of held-out training embeddings so many lie within the limit.
WITHIN = 0.99


@dataclass(frozen=True, kw_only=True)
class WorldStatistic:
    """mean float32 [D]; components [C, D], orthonormal, and their spreads [C]; rest [1]: the spread outside them; limit
    [1]: the distance within which WITHIN of held-out training embeddings lie. Raises InvalidSetting for other shapes.
    """

    mean: np.ndarray
    components: np.ndarray
    spreads: np.ndarray
    rest: np.ndarray
    limit: np.ndarray

    def __post_init__(self) -> None:
        shapes = {field.name: getattr(self, field.name).shape for field in fields(self)}
        width, count = shapes["mean"][-1:] or (0,), shapes["spreads"][-1:] or (0,)
        due = {"mean": width, "components": (*count, *width), "spreads": count, "rest": (1,), "limit": (1,)}
        positive = all(np.all(getattr(self, name) > 0) for name in ("spreads", "rest", "limit"))
        if shapes != due or not positive or not all(np.isfinite(getattr(self, name)).all() for name in shapes):
            raise InvalidSetting(
                f"Expected a world statistic of shapes {due} with finite numbers and positive spreads, received "
                f"{shapes}: measure it again."
            )

    @classmethod
    def measure(cls, training: np.ndarray, held_out: np.ndarray) -> WorldStatistic:
        """Of training embeddings [N, D], with its limit set on others [M, D] of the same world."""
        count = min(COMPONENTS, training.shape[1] - 1, len(training) // 4)
        if count < 1 or len(held_out) < 50:
            raise InvalidSetting(
                f"Expected at least 4 training and 50 held-out embeddings, received {len(training)} and "
                f"{len(held_out)}: take more."
            )
        mean = training.mean(axis=0)
        _, values, vectors = np.linalg.svd(training - mean, full_matrices=False)
        components = vectors[:count]
        spreads = np.maximum(values[:count] / np.sqrt(len(training)), 1e-6)
        outside = (training - mean) - (training - mean) @ components.T @ components
        rest = np.sqrt(np.square(outside).sum(axis=1).mean(keepdims=True)) + 1e-6
        parts = {"mean": mean, "components": components, "spreads": spreads, "rest": rest}
        plain = {name: np.ascontiguousarray(part, dtype=np.float32) for name, part in parts.items()}
        unlimited = cls(**plain, limit=np.ones(1, np.float32))
        limit = np.quantile(unlimited.distances(held_out), WITHIN, keepdims=True)
        return cls(**plain, limit=limit.reshape(1).astype(np.float32))

    @property
    def width(self) -> int:
        """D of the embeddings."""
        return len(self.mean)

    def distances(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings [N, D] -> float32 [N], in limits: above 1 lies what is unlike the world. Raises InvalidSetting."""
        if embeddings.ndim != 2 or embeddings.shape[1] != self.width:
            raise InvalidSetting(
                f"Expected embeddings [N, {self.width}], received {list(embeddings.shape)}: use one encoder."
            )
        centred = embeddings.astype(np.float32) - self.mean
        along = centred @ self.components.T
        outside = np.square(centred - along @ self.components).sum(axis=1) / np.square(self.rest)
        distances: np.ndarray = np.sqrt((np.square(along / self.spreads).mean(axis=1) + outside) / 2) / self.limit
        return distances

    def tensors(self) -> dict[str, np.ndarray]:
        """By the names of the fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, np.ndarray]) -> WorldStatistic:
        """The inverse of `tensors`. Raises InvalidSetting."""
        names = {field.name for field in fields(cls)}
        if set(tensors) != names:
            raise InvalidSetting(
                f"Expected {', '.join(sorted(names))}, received {', '.join(sorted(tensors))}: measure it again."
            )
        return cls(**tensors)

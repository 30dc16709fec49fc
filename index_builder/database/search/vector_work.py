"""The heavy work of an index over vectors: clustering, giving rows to lists, and true neighbours.

It is all comparing rows with rows exactly, so one flat index does it: of FAISS on a GPU where there is one, which is
many times quicker, else the processors do, each part in the way that suits them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)


class VectorWork(Protocol):
    """What builds an index."""

    name: str

    def train(self, index: Any, vectors: np.ndarray) -> None:
        """Clusters float32 [n, E] for an empty index of lists."""

    def add(self, index: Any, vectors: np.ndarray, ids: np.ndarray) -> None:
        """Adds float32 [n, E] with their ids, int64 [n]."""

    def best_scores(self, queries: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
        """float32 [q, at least count where there are as many rows]: inner products of each query with its best rows."""


class ProcessorWork:
    """By the processors."""

    name = "the processors"

    def train(self, index: Any, vectors: np.ndarray) -> None:
        """By FAISS itself."""
        index.train(vectors)

    def add(self, index: Any, vectors: np.ndarray, ids: np.ndarray) -> None:
        """By FAISS itself."""
        index.add_with_ids(vectors, ids)

    def best_scores(self, queries: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
        """Of all rows: picking the best is left to the caller, who has earlier ones."""
        products: np.ndarray = queries @ rows.T
        return products


class FlatIndexWork:
    """By flat indexes of inner products, which `flat` makes for a dimension, wherever these compute."""

    def __init__(self, name: str, flat: Callable[[int], Any]) -> None:
        self.name, self._flat = name, flat
        self._centroids: Any = None

    def train(self, index: Any, vectors: np.ndarray) -> None:
        """The flat index compares rows with centroids during clustering."""
        index.clustering_index = self._flat(index.d)
        try:
            index.train(vectors)
        finally:
            index.clustering_index = None
        # The lists' own graph finds a row's list approximately; this one exactly.
        self._centroids = self._flat(index.d)
        self._centroids.add(index.quantizer.reconstruct_n(0, index.nlist))

    def add(self, index: Any, vectors: np.ndarray, ids: np.ndarray) -> None:
        """Rows go to the lists of their nearest centroids. A graph of rows has no lists: the processors build it."""
        import faiss

        if not isinstance(index, faiss.IndexIVF):
            index.add_with_ids(vectors, ids)
            return
        _, lists = self._centroids.search(vectors, 1)
        lists = np.ascontiguousarray(lists[:, 0], dtype=np.int64)
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        numbers = np.ascontiguousarray(ids, dtype=np.int64)
        index.add_core(len(rows), *(faiss.swig_ptr(given) for given in (rows, numbers, lists)))

    def best_scores(self, queries: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
        """By an exact search of the rows."""
        index = self._flat(rows.shape[1])
        index.add(rows)
        scores: np.ndarray = index.search(queries, min(count, len(rows)))[0]
        return scores


def has_usable_gpu(*, built_for_gpus: bool, gpus: int) -> bool:
    """Whether FAISS computes on a GPU: it must be a build for GPUs, and there must be one that it sees."""
    return built_for_gpus and gpus > 0


def available_work() -> list[VectorWork]:
    """What can build an index here, the quickest first; the processors, the last, always can."""
    import faiss

    built = hasattr(faiss, "StandardGpuResources")
    gpus = faiss.get_num_gpus() if built else 0
    if has_usable_gpu(built_for_gpus=built, gpus=gpus):
        resources = faiss.StandardGpuResources()
        return [FlatIndexWork("a GPU", lambda dim: faiss.GpuIndexFlatIP(resources, dim)), ProcessorWork()]
    if built:
        logger.warning("this FAISS is built for GPUs and sees none: the processors build the index")
    return [ProcessorWork()]

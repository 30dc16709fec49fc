"""Similarity search over one field: a FAISS index where a sound one is stored, exact for all rows it does not cover.

Embeddings are normalised, so the inner product is the cosine. An index is a cache: one that is missing, damaged or
out of date costs time, never results.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from index_builder.database.manifest import IndexFile, Manifest, check_size
from index_builder.errors import DatabaseDamaged

logger = logging.getLogger(__name__)
# Measured at dimension 512: exact search is the faster and simpler choice up to here.
FLAT_ROWS = 20_000
HNSW_LINKS = 32
HNSW_BUILD_EF = 100
HNSW_SEARCH_EF = 256


def build_index(embeddings: np.ndarray) -> tuple[bytes, str]:
    """float32 [rows, E], normalised -> (the FAISS index as bytes, its kind: "flat" or "hnsw32")."""
    import faiss

    rows, dim = embeddings.shape
    if rows <= FLAT_ROWS:
        index, kind = faiss.IndexFlatIP(dim), "flat"
    else:
        index, kind = faiss.IndexHNSWFlat(dim, HNSW_LINKS, faiss.METRIC_INNER_PRODUCT), f"hnsw{HNSW_LINKS}"
        index.hnsw.efConstruction = HNSW_BUILD_EF
    index.add(np.ascontiguousarray(embeddings, dtype=np.float32))
    return faiss.serialize_index(index).tobytes(), kind


def load_index(database: Path, file: IndexFile, *, dim: int):
    """The stored FAISS index. Raises DatabaseDamaged unless it is, byte for byte, what was written."""
    import faiss

    path = check_size(database, file)
    content = path.read_bytes()
    # FAISS trusts the sizes it reads, so a damaged file must not reach it.
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DatabaseDamaged(
            f"expected {path} to match its sha256, it does not: remove it, the next build writes it anew"
        )
    try:
        index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
    except RuntimeError as error:
        raise DatabaseDamaged(f"expected a FAISS index in {path}, but reading failed ({error}): remove it") from error
    if index.ntotal != file.row_count or index.d != dim:
        raise DatabaseDamaged(
            f"expected {file.row_count} rows of dimension {dim} in {path}, found {index.ntotal} of {index.d}"
        )
    return index


class FieldSearch:
    """Searches one field ("text" or "frame") of all rows; row numbers count through the segments in order."""

    def __init__(self, database: Path, manifest: Manifest, field: str, embeddings_of: dict[str, np.ndarray]) -> None:
        """`embeddings_of` maps each segment's name to float32 [rows, E]."""
        self.embeddings_of = embeddings_of
        starts, position = {}, 0
        for segment in manifest.segments:
            starts[segment.name] = position
            position += segment.row_count
        self._starts, self.row_count, self.kind = starts, position, "exact"
        self._index, self._numbers = None, np.empty(0, dtype=np.int64)
        covered: Sequence[str] = ()
        for file in sorted(manifest.indexes, key=lambda index: -index.row_count):
            if file.field == field and self._fits(file, manifest):
                try:
                    self._index = load_index(database, file, dim=manifest.embedding_dim)
                except DatabaseDamaged as error:
                    logger.warning("%s; searching exactly, without it", error)
                    continue
                covered, self.kind = file.segments, file.kind
                self._numbers = np.concatenate([self._numbers_of(name) for name in covered])
                break
        self._rest = [segment.name for segment in manifest.segments if segment.name not in set(covered)]

    def _fits(self, file: IndexFile, manifest: Manifest) -> bool:
        rows = {segment.name: segment.row_count for segment in manifest.segments}
        return set(file.segments) <= set(rows) and sum(rows[name] for name in file.segments) == file.row_count

    def _numbers_of(self, segment: str) -> np.ndarray:
        return self._starts[segment] + np.arange(len(self.embeddings_of[segment]))

    def search(self, query: np.ndarray, *, k: int, excluded: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """query float32 [E] -> (scores float32 [k'], row numbers int64 [k']), best first; k' < k only where fewer rows
        are left. `excluded`: bool [rows] or None."""
        allowed = self.row_count - (int(excluded.sum()) if excluded is not None else 0)
        k = min(k, allowed)
        if k <= 0:
            return np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)
        parts = [self._exact(query, name, k, excluded) for name in self._rest]
        if self._index is not None:
            parts.append(self._indexed(query, k, excluded))
        scores, numbers = (np.concatenate(values) for values in zip(*parts, strict=True))
        if len(numbers) < k:
            # A graph may not reach enough allowed rows; the promise of k rows holds all the same.
            exact = [self._exact(query, name, k, excluded) for name in self._starts]
            scores, numbers = (np.concatenate(values) for values in zip(*exact, strict=True))
        order = np.lexsort((numbers, -scores))[:k]
        return scores[order], numbers[order]

    def _exact(
        self, query: np.ndarray, segment: str, k: int, excluded: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        numbers, scores = self._numbers_of(segment), self.embeddings_of[segment] @ query
        if excluded is not None:
            keep = ~excluded[numbers]
            numbers, scores = numbers[keep], scores[keep]
        if len(scores) > k:
            best = np.argpartition(-scores, k - 1)[:k]
            numbers, scores = numbers[best], scores[best]
        return scores, numbers

    def _indexed(self, query: np.ndarray, k: int, excluded: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        import faiss

        parameters = faiss.SearchParametersHNSW() if self.kind != "flat" else faiss.SearchParameters()
        if self.kind != "flat":
            parameters.efSearch = max(HNSW_SEARCH_EF, 2 * k)
        if excluded is not None:
            allowed = np.packbits(~excluded[self._numbers], bitorder="little")
            selector = faiss.IDSelectorBitmap(len(self._numbers), faiss.swig_ptr(allowed))
            parameters.sel = selector
        with _one_thread():
            scores, places = self._index.search(
                query[None].astype(np.float32), min(k, len(self._numbers)), params=parameters
            )
        found = places[0] >= 0
        return scores[0][found], self._numbers[places[0][found]]


@contextmanager
def _one_thread() -> Iterator[None]:
    """A single query is faster on one OpenMP thread than on many; the setting is the process's, so it is put back."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)

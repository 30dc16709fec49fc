"""Similarity search over one field: a FAISS index where a sound one is stored, exact for all rows it does not cover.

Embeddings are normalised, so the inner product is the cosine. An index only proposes rows: their scores are computed
from the embeddings themselves. An index that is missing, damaged or out of date costs time, never results.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from index_builder.content_hash import add_content
from index_builder.database.format.manifest import IndexFile, Manifest, check_size
from index_builder.database.format.manifest_check import is_count
from index_builder.database.format.mapped_file import MappedFile
from index_builder.database.search.certified_index import FLAT_ROWS
from index_builder.errors import DatabaseDamaged
from index_builder.plain_text import plain_logger

if TYPE_CHECKING:
    import faiss

logger = plain_logger(__name__)
# Of indexes that were stored without their tuned effort.
DEFAULT_EFFORT = {"efSearch": 256, "nprobe": 64}
EFFORT_OF = {"hnsw": "efSearch", "ivf": "nprobe"}


class FieldVectors(Protocol):
    """The embeddings of one field."""

    def of_segment(self, name: str) -> np.ndarray:
        """float32 [rows, E] of a segment."""

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """float32 [k, E] of rows by number, counted through the segments in order."""


def load_index(database: Path, file: IndexFile, *, dim: int, facts: Mapping[str, Any] | None = None) -> faiss.Index:
    """The stored FAISS index, mapped. Raises DatabaseDamaged unless all that FAISS follows is what was written.

    `facts` say where the vectors of a graph lie: these are not read here, since damage to them cannot do harm and a
    row's score comes from its embedding.
    """
    import faiss

    path = check_size(database, file)
    _check_header(path, file, dim)
    if _stored_hash(path, facts or {}) != (facts or {}).get("structure_sha256", file.sha256):
        raise DatabaseDamaged(
            f"Expected {path} to match its sha256, but it does not: remove it, the next build writes it again."
        )
    try:
        with _no_vector_over(file.size_bytes):
            index = faiss.read_index(str(path), getattr(faiss, "IO_FLAG_MMAP_IFC", 0))
    except (RuntimeError, MemoryError) as error:
        raise DatabaseDamaged(
            f"Expected a FAISS index in {path}, but reading failed ({str(error)[-200:]}): remove it."
        ) from error
    if not _is_of_kind(index, file.kind):
        raise DatabaseDamaged(f"Expected a {file.kind} index in {path}, found {type(index).__name__}: remove it.")
    if index.ntotal != file.row_count or index.d != dim:
        raise DatabaseDamaged(
            f"Expected {file.row_count} rows of dimension {dim} in {path}, found {index.ntotal} of {index.d}: remove "
            "it."
        )
    return index


@contextmanager
def _no_vector_over(size_bytes: int) -> Iterator[None]:
    """A size that a file states may not exceed the file: nothing larger is allocated. The limit is the process's, so
    it is put back; FAISS before 1.14 knows none."""
    import faiss

    if not hasattr(faiss, "set_deserialization_vector_byte_limit"):
        yield
        return
    before = faiss.get_deserialization_vector_byte_limit()
    faiss.set_deserialization_vector_byte_limit(size_bytes)
    try:
        yield
    finally:
        faiss.set_deserialization_vector_byte_limit(before)


def _is_of_kind(index: faiss.Index, kind: str) -> bool:
    """Whether FAISS read what the manifest calls `kind`; only these understand the search parameters used here."""
    import faiss

    if kind == "flat":
        return isinstance(index, faiss.IndexFlat)
    if kind.startswith("ivf"):
        return isinstance(index, faiss.IndexIVF)
    # Graphs of earlier versions kept no ids of their own.
    graph = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexIDMap) else index
    return kind.startswith("hnsw") and isinstance(graph, faiss.IndexHNSW)


def _check_header(path: Path, file: IndexFile, dim: int) -> None:
    """Every FAISS index starts with four letters, its dimension and its number of rows."""
    with path.open("rb") as stream:
        start = stream.read(16)
    stated = int.from_bytes(start[4:8], "little"), int.from_bytes(start[8:16], "little")
    if len(start) < 16 or stated != (dim, file.row_count):
        raise DatabaseDamaged(
            f"Expected {file.row_count} rows of dimension {dim} in {path}, but its header states {stated[1]} of "
            f"{stated[0]} (sha256 not even looked at): remove it, the next build writes it again."
        )


def _stored_hash(path: Path, facts: Mapping[str, Any]) -> str:
    size, start, length = path.stat().st_size, facts.get("vectors_start"), facts.get("vectors_bytes")
    parts = [(0, size)]
    if "structure_sha256" in facts and is_count(start, 0, size) and is_count(length, 0, size - start):
        parts = [(0, start), (start + length, size)]
    digest = hashlib.sha256()
    for first, end in parts:
        add_content(digest, path, start=first, end=end)
    return digest.hexdigest()


class FieldSearch:
    """Searches one field ("text" or "frame") of all rows; row numbers count through the segments in order."""

    def __init__(self, database: Path, manifest: Manifest, field: str, vectors: FieldVectors) -> None:
        self.vectors = vectors
        starts, position = {}, 0
        for segment in manifest.segments:
            starts[segment.name] = position, segment.row_count
            position += segment.row_count
        self._starts, self.row_count, self.kind = starts, position, "exact"
        self.facts: Mapping[str, Any] = {}
        self._last_permitted: tuple[np.ndarray, np.ndarray] | None = None
        self._index_file: MappedFile | None = None
        self._index, self._numbers = None, np.empty(0, dtype=np.int64)
        covered: Sequence[str] = ()
        for file in sorted(manifest.indexes, key=lambda index: -index.row_count):
            if file.field == field and self._fits(file):
                facts = manifest.index_facts.get(file.path)
                facts = facts if isinstance(facts, Mapping) else {}
                try:
                    self._index_file = MappedFile(check_size(database, file))
                    self._index = load_index(database, file, dim=manifest.space_of(field).dim, facts=facts)
                except DatabaseDamaged as error:
                    logger.warning("%s; searching exactly, without it", error)
                    continue
                covered, self.kind, self.facts = file.segments, file.kind, facts
                self._numbers = np.concatenate([self._numbers_of(name) for name in covered])
                break
        self._rest = [segment.name for segment in manifest.segments if segment.name not in set(covered)]

    def _fits(self, file: IndexFile) -> bool:
        known = set(file.segments) <= set(self._starts)
        return known and sum(self._starts[name][1] for name in file.segments) == file.row_count

    def _numbers_of(self, segment: str) -> np.ndarray:
        start, rows = self._starts[segment]
        return np.arange(start, start + rows)

    def search(self, query: np.ndarray, *, k: int, excluded: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """query float32 [E] -> (scores float32 [k'], row numbers int64 [k']), best first; k' < k only where fewer rows
        are left. `excluded`: bool [rows] or None."""
        allowed = self.row_count - (int(excluded.sum()) if excluded is not None else 0)
        k = min(k, allowed)
        self._leave_an_index_that_was_cut_short()
        if k <= 0:
            return np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)
        if excluded is not None and self._index is not None and allowed <= FLAT_ROWS and not self._is_flat:
            # A graph leads past few allowed rows; to compare all of those is quick, and exact.
            return self._best(query, np.flatnonzero(~excluded), k)
        parts = [self._exact(query, name, k, excluded) for name in self._rest]
        if self._index is not None:
            parts.append(self._indexed(query, k, excluded, allowed))
        numbers = np.concatenate(parts)
        if len(numbers) < k:
            # A graph may not reach enough allowed rows; the promise of k rows holds all the same.
            numbers = np.concatenate([self._exact(query, name, k, excluded) for name in self._starts])
        return self._best(query, numbers, k)

    def _leave_an_index_that_was_cut_short(self) -> None:
        """FAISS reads from a map of the file: see `mapped_file`."""
        if self._index is None or self._index_file is None:
            return
        try:
            self._index_file.require_whole()
        except DatabaseDamaged as error:
            logger.warning("%s; searching exactly, without it", error)
            self._index, self._index_file, self.kind, self.facts = None, None, "exact", {}
            self._rest = list(self._starts)

    @property
    def _is_flat(self) -> bool:
        return self.kind in ("exact", "flat")

    def _best(self, query: np.ndarray, numbers: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best of `numbers` by their embeddings; ties in the order of their numbers."""
        scores = self.vectors.at(numbers) @ query
        order = np.lexsort((numbers, -scores))[:k]
        return scores[order], numbers[order]

    def _exact(self, query: np.ndarray, segment: str, k: int, excluded: np.ndarray | None) -> np.ndarray:
        numbers, scores = self._numbers_of(segment), self.vectors.of_segment(segment) @ query
        if excluded is not None:
            keep = ~excluded[numbers]
            numbers, scores = numbers[keep], scores[keep]
        return numbers[np.argpartition(-scores, k - 1)[:k]] if len(scores) > k else numbers

    def _indexed(self, query: np.ndarray, k: int, excluded: np.ndarray | None, allowed: int) -> np.ndarray:
        parameters = self._parameters(k, allowed)
        if excluded is not None:
            import faiss

            # FAISS keeps pointers only: both must live until the search is done.
            permitted = self._permitted(excluded)
            selector = faiss.IDSelectorBitmap(len(self._numbers), faiss.swig_ptr(permitted))
            parameters.sel = selector
        assert self._index is not None  # as `search` made sure
        with _one_thread():
            _, places = self._index.search(
                query[None].astype(np.float32), min(k, len(self._numbers)), params=parameters
            )
        # Places beyond the rows, or twice, can only come from an index that nobody here has made.
        found = np.unique(places[0])
        numbers: np.ndarray = self._numbers[found[(found >= 0) & (found < len(self._numbers))]]
        return numbers

    def _permitted(self, excluded: np.ndarray) -> np.ndarray:
        """One bit for each row of the index; kept for the next query, which mostly excludes the same rows."""
        if self._last_permitted is None or self._last_permitted[0] is not excluded:
            self._last_permitted = excluded, np.packbits(~excluded[self._numbers], bitorder="little")
        return self._last_permitted[1]

    def _parameters(self, k: int, allowed: int) -> faiss.SearchParameters:
        """The tuned effort, raised where more than ten rows are asked for or many are excluded."""
        import faiss

        if self._is_flat:
            return faiss.SearchParameters()
        family = "ivf" if self.kind.startswith("ivf") else "hnsw"
        name, tuned = EFFORT_OF[family], self.facts.get("effort")
        usual = tuned if is_count(tuned, 1, 1 << 20) else DEFAULT_EFFORT[name]
        effort = int(usual * min(8.0, self.row_count / allowed))
        parameters = faiss.SearchParametersHNSW() if family == "hnsw" else faiss.SearchParametersIVF()
        setattr(parameters, name, max(effort, 4 * k) if family == "hnsw" else effort)
        return parameters


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

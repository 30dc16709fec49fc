"""Making an index whose recall is measured: exact up to a size, a graph above, lists of a graph above that.

An approximate index is tuned on held-out rows: it is built without them, they are searched in it and exactly, the
search effort is raised until both halves of them reach the target, and only then are they added. The recall measured
holds for queries of the kind of the rows: captions and frames of the same world.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from index_builder.database.format.manifest_check import is_count
from index_builder.database.search.vector_work import VectorWork, available_work
from index_builder.errors import InvalidSetting, RecallBelowTarget
from index_builder.plain_text import plain_logger

if TYPE_CHECKING:
    import faiss

logger = plain_logger(__name__)
Kind = Literal["auto", "flat", "hnsw", "ivf"]
DEFAULT_TARGET_RECALL = 0.95
# Measured at dimension 512: exact search is the faster and simpler choice up to here, lists the smaller one from there.
FLAT_ROWS = 20_000
IVF_ROWS = 5_000_000
HNSW_LINKS = 32
HNSW_BUILD_EF = 100
IVF_LISTS = 65_536
TRAINING_ROWS_PER_LIST = 40
HELD_OUT_ROWS = 200
NEIGHBOURS = 10
EFFORTS = {"efSearch": (32, 64, 128, 256, 512, 1024, 2048), "nprobe": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)}
ADD_ROWS = 4096
# An IDMap ends with a count and its ids.
IDS_HEADER_BYTES = 8
# Captions repeat, so rows tie: a hit as good as the tenth counts. float16 storage rounds scores by less than this.
TIE = 1e-3


@dataclass(frozen=True, kw_only=True)
class IndexPlan:
    """What to build: "auto" chooses by the number of rows. `progress` hears rows added and rows in all."""

    kind: Kind = "auto"
    target_recall: float = DEFAULT_TARGET_RECALL
    progress: Callable[[int, int], None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InvalidSetting(
                f"Expected an index of {', '.join(get_args(Kind))}, received {self.kind!r}: choose one of them."
            )
        if not 0 < self.target_recall <= 1:
            raise InvalidSetting(
                f"Expected a target recall above 0, up to 1, received {self.target_recall}: correct it."
            )

    def kind_of(self, rows: int) -> str:
        """The kind for so many rows, "auto" resolved."""
        if self.kind != "auto":
            return self.kind
        return "flat" if rows <= FLAT_ROWS else "hnsw" if rows <= IVF_ROWS else "ivf"


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """float32 [row_count, dim], normalised, in parts that are read again each time `parts` is called."""

    row_count: int
    dim: int
    parts: Callable[[], Iterator[np.ndarray]]

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """float32 [len(positions), dim] of ascending `positions`."""
        picked, start = [np.empty((0, self.dim), np.float32)], 0
        for part in self.parts():
            inside = positions[(positions >= start) & (positions < start + len(part))] - start
            picked.append(part[inside])
            start += len(part)
        return np.concatenate(picked)


@dataclass(frozen=True, kw_only=True)
class BuiltIndex:
    """A FAISS index as bytes; `kind` as the manifest names it; `facts` as `search_index` reads them."""

    content: memoryview
    kind: str
    facts: Mapping[str, Any]


def build_index(vectors: Vectors, plan: IndexPlan | None = None) -> BuiltIndex:
    """Builds and certifies. Raises RecallBelowTarget when no effort reaches the target."""
    import faiss

    plan = plan or IndexPlan()
    kind = plan.kind_of(vectors.row_count)
    if kind == "flat" or vectors.row_count < 2:
        index, added = faiss.IndexFlatIP(vectors.dim), 0
        for part in vectors.parts():
            index.add(np.ascontiguousarray(part, dtype=np.float32))
            added += len(part)
            if plan.progress:
                plan.progress(added, vectors.row_count)
        return BuiltIndex(content=_serialised(index), kind="flat", facts={"recall_at_10": 1.0, "queries": 0})
    *quicker, last = available_work()
    for work in quicker:
        try:
            return _build_approximate(vectors, plan, kind, work)
        except RuntimeError as error:  # FAISS's for all that goes wrong, too little memory included
            reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            logger.warning("building the index on %s failed (%s): %s build it", work.name, reason[0], last.name)
    return _build_approximate(vectors, plan, kind, last)


def _build_approximate(vectors: Vectors, plan: IndexPlan, kind: str, work: VectorWork) -> BuiltIndex:
    held = _spread(vectors.row_count, min(HELD_OUT_ROWS, vectors.row_count // 10))
    queries = vectors.rows(held)
    index, name, effort_name = _empty_index(vectors, kind, work)
    neighbours = min(NEIGHBOURS, vectors.row_count - len(held))
    best = np.full((len(queries), neighbours), -1.0, dtype=np.float32)
    start = 0
    for part in vectors.parts():
        keep = np.setdiff1d(np.arange(start, start + len(part)), held, assume_unique=True)
        for block in np.split(keep, range(ADD_ROWS, len(keep), ADD_ROWS)):
            rows = np.ascontiguousarray(part[block - start], dtype=np.float32)
            work.add(index, rows, block.astype(np.int64))
            scores = np.concatenate([best, work.best_scores(queries, rows, neighbours)], axis=1)
            best = -np.partition(-scores, neighbours - 1, axis=1)[:, :neighbours]
            if plan.progress:
                plan.progress(start + int(block[-1] - start + 1) if len(block) else start, vectors.row_count)
        start += len(part)
    # Rows without a caption are zeros where captions have their own space: nobody asks so, and every row fits alike.
    asked = np.flatnonzero(queries.any(axis=1))
    judged = asked if len(asked) else np.arange(len(queries))
    facts = _tune(index, queries[judged], best[judged], effort_name, plan, kind)
    work.add(index, queries, held)
    content = _serialised(index)
    return BuiltIndex(content=content, kind=name, facts={**facts, **_structure(index, kind, content)})


def measured_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What people want to see of the facts of an index that a manifest holds: those that are of the kind written here,
    since a stranger may have written them."""
    sound: dict[str, Callable[[Any], bool]] = {
        "recall_at_10": lambda value: isinstance(value, float | int) and 0 <= value <= 1,
        "target_recall": lambda value: isinstance(value, float | int) and 0 <= value <= 1,
        "queries": lambda value: is_count(value, 0, 1 << 40),
        "parameter": lambda value: isinstance(value, str) and value in EFFORTS,
        "effort": lambda value: is_count(value, 1, 1 << 20),
    }
    return {name: facts[name] for name, is_sound in sound.items() if name in facts and is_sound(facts[name])}


def _spread(rows: int, count: int) -> np.ndarray:
    """`count` distinct row positions, ascending, drawn with a fixed seed."""
    return np.sort(np.random.default_rng(0).choice(rows, size=max(count, 1), replace=False))


def _empty_index(vectors: Vectors, kind: str, work: VectorWork) -> tuple[faiss.Index, str, str]:
    """The index, its name, and the name of its search effort."""
    import faiss

    if kind == "hnsw":
        graph = faiss.index_factory(vectors.dim, f"HNSW{HNSW_LINKS}_SQfp16", faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = HNSW_BUILD_EF
        graph.train(vectors.rows(np.arange(1)))
        # Held-out rows are added last, so an own id is kept for each row instead of its place in the graph.
        index = faiss.IndexIDMap(graph)
        graph.this.disown()
        index.own_fields = True
        return index, f"hnsw{HNSW_LINKS}_sqfp16", "efSearch"
    lists = min(IVF_LISTS, max(1, vectors.row_count // TRAINING_ROWS_PER_LIST))
    index = faiss.index_factory(vectors.dim, f"IVF{lists}_HNSW{HNSW_LINKS},SQfp16", faiss.METRIC_INNER_PRODUCT)
    work.train(index, vectors.rows(_spread(vectors.row_count, min(vectors.row_count, lists * TRAINING_ROWS_PER_LIST))))
    return index, f"ivf{lists}_hnsw{HNSW_LINKS}_sqfp16", "nprobe"


def _tune(
    index: faiss.Index, queries: np.ndarray, best: np.ndarray, effort_name: str, plan: IndexPlan, kind: str
) -> dict[str, Any]:
    """The least effort at which both halves of the held-out rows reach the target, and the recall measured there.
    `best` holds the scores of each one's true neighbours."""
    import faiss

    halves, recall, effort = (slice(0, None, 2), slice(1, None, 2)), 0.0, 0
    for effort in EFFORTS[effort_name]:
        parameters = faiss.SearchParametersHNSW() if kind == "hnsw" else faiss.SearchParametersIVF()
        setattr(parameters, effort_name, effort)
        scores, _ = index.search(queries, best.shape[1], params=parameters)
        hit = (scores >= best.min(axis=1)[:, None] - TIE).mean(axis=1)
        recall = float(hit.mean())
        if min(hit[half].mean() for half in halves if len(hit[half])) >= plan.target_recall:
            facts = {"parameter": effort_name, "effort": effort, "recall_at_10": round(recall, 4)}
            return {**facts, "queries": len(queries), "target_recall": plan.target_recall}
    raise RecallBelowTarget(
        f"Expected a recall@10 of at least {plan.target_recall:g} of the {kind} index, found {recall:.3f} at the "
        f"highest {effort_name}, {effort}; the rows are committed and searched without it. Search them exactly with "
        "motionrag index rebuild-index DATABASE --kind flat, or accept less with --target-recall."
    )


def _structure(index: faiss.Index, kind: str, content: memoryview) -> dict[str, Any]:
    """Where the vectors of a graph lie in the file, and the hash of all the rest: what must be right before FAISS may
    follow the graph, while damaged vectors cannot harm it."""
    import faiss

    if kind != "hnsw":
        return {}
    storage = faiss.downcast_index(faiss.downcast_index(index.index).storage)
    codes = faiss.rev_swig_ptr(storage.codes.data(), storage.codes.size())
    # Vectors come last, before the ids; checked, because FAISS owns the format.
    start = content.nbytes - len(codes) - IDS_HEADER_BYTES - 8 * index.ntotal
    if not np.array_equal(np.frombuffer(content[start : start + len(codes)], np.uint8), codes):
        return {}
    digest = hash_without(content, start, len(codes))
    return {"vectors_start": start, "vectors_bytes": len(codes), "structure_sha256": digest}


def hash_without(content: memoryview, start: int, length: int) -> str:
    """sha256 over `content` but for `length` bytes at `start`."""
    digest = hashlib.sha256(content[:start])
    digest.update(content[start + length :])
    return digest.hexdigest()


def _serialised(index: faiss.Index) -> memoryview:
    import faiss

    return memoryview(faiss.serialize_index(index))

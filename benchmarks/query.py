"""Query: the nine nearest clips with their motion tokens, from this database and from LanceDB, at equal recall.

python -m benchmarks.query [--short] [--rows 1000000] [--folder DIR] [--json FILE]
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer

from benchmarks.measure import Result, in_own_process, peak_bytes, publish, resident_bytes, side_by_side
from benchmarks.synthetic import (
    FINGERPRINT,
    TOKENS_SHAPE,
    Vectors,
    exact_neighbours,
    row_id,
    token_block,
    write_index,
    write_rows,
)
from index_builder.database.search.reader import MotionDatabase

# Its log lines would be timed too.
os.environ.setdefault("LANCE_LOG", "error")
K = 9
QUERIES = 100
WIDTH = TOKENS_SHAPE[0] * TOKENS_SHAPE[1]
# LanceDB's dials in the order of their cost: partitions looked into, and how many times k candidates are rescored.
EFFORTS = [(1, 1), (2, 2), (4, 2), (8, 4), (16, 4), (20, 10), (40, 10), (80, 20), (160, 40)]
INDEXED_ROWS = 20_000

Search = Callable[[np.ndarray], tuple[list[str], np.ndarray]]


def our_search(path: Path) -> Search:
    """Ids and motion tokens of the K nearest by first frame."""
    database = MotionDatabase.open(path)

    def search(query: np.ndarray) -> tuple[list[str], np.ndarray]:
        ids = [hit.row_id for hit in database.search(query, field="frame", k=K)]
        return ids, database.tokens(ids, fingerprint=FINGERPRINT).motion_tokens

    return search


def lance_search(path: Path, effort: tuple[int, int] | None) -> Search:
    """The same from LanceDB; effort None is its exact search."""
    import lancedb

    table = lancedb.connect(str(path)).open_table("clips")

    def search(query: np.ndarray) -> tuple[list[str], np.ndarray]:
        asked = table.search(query, vector_column_name="vector").distance_type("dot").limit(K)
        asked = asked.bypass_vector_index() if effort is None else asked.nprobes(effort[0]).refine_factor(effort[1])
        found = asked.select(["id", "motion", "appearance", "_distance"]).to_arrow()
        motion = found.column("motion").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return found.column("id").to_pylist(), motion.reshape(len(found), *TOKENS_SHAPE)

    return search


def write_lance(path: Path, rows: int, vectors: Vectors) -> str:
    """A table of the same rows, vectors and tokens, indexed above INDEXED_ROWS; returns the kind of index."""
    import lancedb

    schema = pa.schema(
        {
            "id": pa.string(),
            "vector": pa.list_(pa.float32(), vectors.dim),
            "motion": pa.list_(pa.float16(), WIDTH),
            "appearance": pa.list_(pa.float16(), WIDTH),
        }
    )

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for number, block in enumerate(vectors.blocks(rows)):
            tokens = token_block(len(block), seed=number)
            columns = [
                pa.array([row_id(start + offset) for offset in range(len(block))]),
                pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), vectors.dim),
                pa.FixedSizeListArray.from_arrays(pa.array(tokens.motion_tokens.reshape(-1)), WIDTH),
                pa.FixedSizeListArray.from_arrays(pa.array(tokens.appearance_tokens.reshape(-1)), WIDTH),
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
            start += len(block)

    table = lancedb.connect(str(path)).create_table("clips", batches(), schema=schema, mode="overwrite")
    if rows <= INDEXED_ROWS:
        return "none (exact)"
    table.create_index(metric="dot", vector_column_name="vector", index_type="IVF_HNSW_SQ")
    return "IVF_HNSW_SQ"


def recall(search: Search, queries: np.ndarray, truth: np.ndarray) -> float:
    """The share of the true K nearest that are found."""
    hits = 0
    for query, true in zip(queries, truth, strict=True):
        hits += len(set(search(query)[0]) & {row_id(int(number)) for number in true})
    return hits / truth.size


def memory_of(kind: str, path: str, effort: tuple[int, int] | None, dim: int) -> dict[str, int]:
    """In a process of its own: bytes after the imports, and the most while it opened and searched."""
    import faiss  # noqa: F401
    import lancedb  # noqa: F401

    before = resident_bytes()
    search = our_search(Path(path)) if kind == "ours" else lance_search(Path(path), effort)
    for query in Vectors(dim=dim).queries(QUERIES):
        search(query)
    return {"before": before, "peak": peak_bytes()}


def measure(rows: int, folder: Path, *, dim: int = 512, repeats: int = 5) -> dict:
    """One line of the table."""
    vectors = Vectors(dim=dim)
    ours, lance = folder / f"ours-{rows}", folder / f"lance-{rows}"
    if not (ours / "done").exists():
        write_rows(ours, rows, vectors=vectors)
        write_index(ours)
        (ours / "done").touch()
    kind = write_lance(lance, rows, vectors)
    queries = vectors.queries(QUERIES)
    truth = exact_neighbours(vectors, rows, queries, K)
    our = our_search(ours)
    target = recall(our, queries, truth)
    effort, lance_recall = None, 1.0
    if rows > INDEXED_ROWS:
        for effort in EFFORTS:
            lance_recall = recall(lance_search(lance, effort), queries, truth)
            if lance_recall >= target - 0.005:
                break
    theirs = lance_search(lance, effort)
    same = np.array_equal(np.sort(our(queries[0])[1], axis=None), np.sort(theirs(queries[0])[1], axis=None))
    timings = side_by_side(
        {"ours": lambda: [our(query) for query in queries], "lance": lambda: [theirs(query) for query in queries]},
        repeats=repeats,
    )
    memory = {
        name: in_own_process(memory_of, name, str(path), effort, dim)
        for name, path in (("ours", ours), ("lance", lance))
    }
    extra = {name: (of["peak"] - of["before"]) / 2**20 for name, of in memory.items()}
    per_query = {name: 1000 * timing.median_sec / QUERIES for name, timing in timings.items()}
    return {
        "rows": rows,
        "ours_ms": per_query["ours"],
        "lance_ms": per_query["lance"],
        "times_faster": per_query["lance"] / per_query["ours"],
        "ours_recall": target,
        "lance_recall": lance_recall,
        "lance_index": kind if effort is None else f"{kind}, {effort[0]} probes, refine {effort[1]}",
        "ours_MiB": extra["ours"],
        "lance_MiB": extra["lance"],
        "first_query_same_tokens": same,
    }


def main(
    short: Annotated[bool, typer.Option("--short", help="10,000 rows only.")] = False,
    rows: Annotated[list[int] | None, typer.Option("--rows", help="Sizes. Repeatable.")] = None,
    folder: Annotated[Path | None, typer.Option("--folder", help="Keep the databases here.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Measure and publish."""
    sizes = rows or ([10_000] if short else [10_000, 100_000, 1_000_000])
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        lines = [measure(size, folder or Path(temporary)) for size in sizes]
    conditions = {"dim": 512, "k": K, "queries": QUERIES, "goal": "10 times faster at equal recall, tokens fetched"}
    publish(Result(title="Query: nearest clips with their tokens", conditions=conditions, lines=lines), json_path)


if __name__ == "__main__":
    typer.run(main)

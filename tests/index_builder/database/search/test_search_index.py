"""Search: an index gives what exact search gives, keeps the promised number, and is never needed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.database.format.manifest import IndexFile, Manifest, Segment, StoredFile
from index_builder.database.search import certified_index
from index_builder.database.search.certified_index import Vectors, build_index
from index_builder.database.search.search_index import FieldSearch, load_index
from index_builder.errors import DatabaseDamaged

SHA = "0" * 64


def unit(count: int, dim: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def layout(tmp_path: Path, counts: dict[str, int], covered: tuple[str, ...], dim: int = 16):
    """A manifest of segments with random embeddings and, if any are covered, an index over those."""
    embeddings_of = {name: unit(count, dim, seed) for seed, (name, count) in enumerate(counts.items())}
    segments = tuple(
        Segment(
            name=name,
            row_count=count,
            rows=StoredFile(path=f"segments/{name}/rows.arrow", sha256=SHA, size_bytes=0),
            tokens=(),
            sampling={},
        )
        for name, count in counts.items()
    )
    manifest = Manifest(
        generation=1,
        retrieval_fingerprint="",
        retrieval_description="",
        embedding_dim=dim,
        tokens=(),
        clips={},
        decoders={},
        segments=segments,
    )
    if covered:
        import hashlib

        rows = np.concatenate([embeddings_of[name] for name in covered])
        built = build_index(Vectors(row_count=len(rows), dim=dim, parts=lambda: iter([rows])))
        content = bytes(built.content)
        (tmp_path / "i.faiss").write_bytes(content)
        index = IndexFile(
            path="i.faiss",
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            field="text",
            kind=built.kind,
            row_count=len(rows),
            segments=covered,
        )
        manifest = replace(manifest, indexes=(index,), index_facts={"i.faiss": built.facts})
    return manifest, InMemory(embeddings_of)


class InMemory:
    """Implements search_index.FieldVectors."""

    def __init__(self, embeddings_of: dict[str, np.ndarray]) -> None:
        self.embeddings_of, self.all = embeddings_of, np.concatenate(list(embeddings_of.values()))

    def of_segment(self, name: str) -> np.ndarray:
        return self.embeddings_of[name]

    def at(self, numbers: np.ndarray) -> np.ndarray:
        return self.all[numbers]


def exact(vectors: InMemory, query: np.ndarray, k: int, excluded: np.ndarray | None) -> np.ndarray:
    scores = vectors.all @ query
    if excluded is not None:
        scores[excluded] = -np.inf
    return np.argsort(-scores, kind="stable")[:k]


@pytest.mark.parametrize("covered", [(), ("a",), ("b", "a"), ("a", "b", "c")])
@pytest.mark.parametrize("hide", [0.0, 0.5, 0.97])
def test_any_coverage_and_exclusion_gives_the_exact_result(tmp_path: Path, covered: tuple, hide: float) -> None:
    manifest, vectors = layout(tmp_path, {"a": 40, "b": 30, "c": 50}, covered)
    search = FieldSearch(tmp_path, manifest, "text", vectors)
    assert search.kind == ("flat" if covered else "exact")
    excluded = np.random.default_rng(9).random(120) < hide if hide else None
    for query in unit(5, 16, 99):
        scores, numbers = search.search(query, k=7, excluded=excluded)
        best = exact(vectors, query, min(7, 120 - (excluded.sum() if hide else 0)), excluded)
        assert numbers.tolist() == best.tolist()
        assert np.allclose(scores, vectors.all[best] @ query, atol=1e-5)


def test_a_graph_finds_nearly_all_and_keeps_the_promised_number(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(certified_index, "FLAT_ROWS", 1000)
    manifest, vectors = layout(tmp_path, {"a": 2500}, ("a",), dim=32)
    search = FieldSearch(tmp_path, manifest, "text", vectors)
    assert search.kind == "hnsw32_sqfp16"
    found = right = 0
    for query in unit(20, 32, 5):
        best = set(exact(vectors, query, 10, None))
        found, right = found + 10, right + len(best & set(search.search(query, k=10, excluded=None)[1].tolist()))
    assert right / found >= 0.95
    excluded = np.ones(2500, dtype=bool)
    excluded[[3, 500, 2400]] = False
    scores, numbers = search.search(unit(1, 32, 6)[0], k=10, excluded=excluded)
    assert sorted(numbers.tolist()) == [3, 500, 2400] and np.all(np.diff(scores) <= 0)


def test_nothing_left_is_an_empty_result(tmp_path: Path) -> None:
    manifest, vectors = layout(tmp_path, {"a": 4}, ("a",))
    search = FieldSearch(tmp_path, manifest, "text", vectors)
    scores, numbers = search.search(unit(1, 16, 0)[0], k=3, excluded=np.ones(4, dtype=bool))
    assert len(scores) == len(numbers) == 0


def test_a_damaged_or_missing_index_costs_no_result(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manifest, vectors = layout(tmp_path, {"a": 40, "b": 30}, ("a", "b"))
    query = unit(1, 16, 7)[0]
    whole = FieldSearch(tmp_path, manifest, "text", vectors).search(query, k=5, excluded=None)
    content = bytearray((tmp_path / "i.faiss").read_bytes())
    content[10] ^= 255
    for spoiled, message in ((bytes(content), "sha256"), (b"short", "bytes"), (None, "missing")):
        (tmp_path / "i.faiss").write_bytes(spoiled) if spoiled is not None else (tmp_path / "i.faiss").unlink()
        with pytest.raises(DatabaseDamaged, match=message):
            load_index(tmp_path, manifest.indexes[0], dim=16)
        search = FieldSearch(tmp_path, manifest, "text", vectors)
        assert search.kind == "exact" and "searching exactly" in caplog.text
        assert np.array_equal(search.search(query, k=5, excluded=None)[1], whole[1])

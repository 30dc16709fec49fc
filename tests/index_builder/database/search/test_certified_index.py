"""Certified indexes: the kind follows the size, recall is measured on rows held out, and too little is an error."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from index_builder.database.search import certified_index
from index_builder.database.search.certified_index import IndexPlan, Vectors, build_index
from index_builder.errors import InvalidSetting, RecallBelowTarget

ROWS, DIM = 3000, 24


def clustered(rows: int = ROWS, dim: int = DIM, seed: int = 0) -> np.ndarray:
    """Rows around a hundred centres, as captions and frames are."""
    centres = np.random.default_rng(99).normal(size=(100, dim))
    generator = np.random.default_rng(seed)
    drawn = centres[generator.integers(0, 100, rows)] + 0.5 * generator.normal(size=(rows, dim))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def in_parts(rows: np.ndarray, part: int = 512) -> Vectors:
    def parts() -> Iterator[np.ndarray]:
        return iter([rows[start : start + part] for start in range(0, len(rows), part)])

    return Vectors(row_count=len(rows), dim=rows.shape[1], parts=parts)


def read(built):
    import faiss

    return faiss.deserialize_index(np.frombuffer(built.content, dtype=np.uint8))


def test_the_kind_follows_the_size() -> None:
    plan = IndexPlan()
    assert [plan.kind_of(rows) for rows in (1, 20_000, 20_001, 5_000_000, 5_000_001)] == [
        "flat", "flat", "hnsw", "hnsw", "ivf",
    ]  # fmt: skip
    assert IndexPlan(kind="flat").kind_of(10**7) == "flat"


@pytest.mark.parametrize(("kind", "parameter"), [("hnsw", "efSearch"), ("ivf", "nprobe")])
def test_recall_is_that_of_unseen_queries(kind: str, parameter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured on held-out rows holds for queries that the index has never seen, against exact search."""
    import faiss

    monkeypatch.setattr(certified_index, "IVF_LISTS", 32)
    rows, queries = clustered(), clustered(rows=300, seed=1)
    built = build_index(in_parts(rows), IndexPlan(kind=kind, target_recall=0.9))
    assert built.kind == {"hnsw": "hnsw32_sqfp16", "ivf": "ivf32_hnsw32_sqfp16"}[kind]
    facts = built.facts
    assert facts["parameter"] == parameter and facts["queries"] == 200 and 0.9 <= facts["recall_at_10"] <= 1
    index = read(built)
    assert index.ntotal == ROWS
    parameters = faiss.SearchParametersHNSW() if kind == "hnsw" else faiss.SearchParametersIVF()
    setattr(parameters, parameter, facts["effort"])
    found = index.search(queries, 10, params=parameters)[1]
    exact = np.argsort(-(queries @ rows.T), axis=1)[:, :10]
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
    assert recall > facts["recall_at_10"] - 0.04


def test_every_row_is_found_under_its_own_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held-out rows are added last; numbers must not shift."""
    rows = clustered(rows=900)
    index = read(build_index(in_parts(rows, part=100), IndexPlan(kind="hnsw")))
    scores, found = index.search(rows, 1)
    assert (found[:, 0] == np.arange(900)).mean() > 0.98 and scores.min() > 0.9


def test_below_target_is_an_error_with_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(certified_index.EFFORTS, "efSearch", (1, 2))
    monkeypatch.setattr(certified_index, "HNSW_LINKS", 2)
    with pytest.raises(RecallBelowTarget, match=r"at least 0.99 of the hnsw index, found 0\.\d+ at the highest efS"):
        build_index(in_parts(clustered()), IndexPlan(kind="hnsw", target_recall=0.99))


def test_effort_rises_with_the_target() -> None:
    rows = np.random.default_rng(0).normal(size=(ROWS, 48)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    efforts = [
        build_index(in_parts(rows), IndexPlan(kind="hnsw", target_recall=target)).facts["effort"]
        for target in (0.5, 0.99)
    ]
    assert efforts[0] < efforts[1]


def test_repeated_rows_count_as_found_when_their_equals_are() -> None:
    """A hundred clips may carry one caption: which ten of them come first is nobody's business."""
    rows = np.repeat(clustered(rows=40), 30, axis=0)
    facts = build_index(in_parts(rows), IndexPlan(kind="hnsw", target_recall=0.1)).facts
    assert facts["recall_at_10"] > 0.5


def test_exact_indexes_need_no_measuring() -> None:
    heard: list[tuple[int, int]] = []
    built = build_index(in_parts(clustered(rows=700)), IndexPlan(progress=lambda *counts: heard.append(counts)))
    assert built.kind == "flat" and built.facts["recall_at_10"] == 1.0 and heard[-1] == (700, 700)


def test_progress_of_a_graph_ends_at_all_rows() -> None:
    heard: list[tuple[int, int]] = []
    build_index(in_parts(clustered()), IndexPlan(kind="hnsw", target_recall=0.5, progress=lambda *c: heard.append(c)))
    assert heard[-1] == (ROWS, ROWS) and all(a[0] <= b[0] for a, b in itertools.pairwise(heard))


@pytest.mark.parametrize("rows", [1, 9, 11])
def test_few_rows_make_a_graph_too(rows: int) -> None:
    assert read(build_index(in_parts(clustered(rows=rows)), IndexPlan(kind="hnsw"))).ntotal == rows


def test_impossible_plans_are_refused() -> None:
    for arguments, message in (
        ({"kind": "lsh"}, "an index of auto, flat, hnsw, ivf, received 'lsh'"),
        ({"target_recall": 0.0}, "a target recall above 0"),
        ({"target_recall": float("nan")}, "received nan"),
    ):
        with pytest.raises(InvalidSetting, match=message):
            IndexPlan(**arguments)

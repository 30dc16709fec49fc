"""Who does the heavy work of an index: chosen by what FAISS can do here, equal in what comes out."""

import faiss
import numpy as np
import pytest

from index_builder.database.search import certified_index
from index_builder.database.search.certified_index import IndexPlan, build_index
from index_builder.database.search.vector_work import FlatIndexWork, ProcessorWork, available_work, has_usable_gpu
from tests.index_builder.database.search.test_certified_index import DIM, ROWS, clustered, in_parts, read

HAS_GPU = has_usable_gpu(built_for_gpus=hasattr(faiss, "StandardGpuResources"), gpus=faiss.get_num_gpus())


def by_flat_indexes() -> FlatIndexWork:
    """What computes on a GPU elsewhere, with flat indexes of the processors."""
    return FlatIndexWork("flat indexes", faiss.IndexFlatIP)


def test_a_gpu_is_used_where_faiss_is_built_for_it_and_sees_one() -> None:
    assert has_usable_gpu(built_for_gpus=True, gpus=1)
    assert not has_usable_gpu(built_for_gpus=True, gpus=0)
    assert not has_usable_gpu(built_for_gpus=False, gpus=2)


def test_the_processors_can_always(caplog: pytest.LogCaptureFixture) -> None:
    works = available_work()
    assert isinstance(works[-1], ProcessorWork)
    assert [work.name for work in works[:-1]] == (["a GPU"] if HAS_GPU else [])
    assert ("sees none" in caplog.text) == (hasattr(faiss, "StandardGpuResources") and not HAS_GPU)


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_flat_indexes_build_what_the_processors_build(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same recall of the same held-out rows, each row once, in a list that a search of it looks into."""
    monkeypatch.setattr(certified_index, "IVF_LISTS", 32)
    rows, plan = clustered(), IndexPlan(kind=kind, target_recall=0.9)
    built = {}
    for work in (ProcessorWork(), by_flat_indexes()):
        monkeypatch.setattr(certified_index, "available_work", lambda work=work: [work])
        built[work.name] = build_index(in_parts(rows), plan)
    ours, theirs = built["flat indexes"], built["the processors"]
    assert ours.kind == theirs.kind and ours.facts["effort"] <= 2 * theirs.facts["effort"]
    assert ours.facts["recall_at_10"] == pytest.approx(theirs.facts["recall_at_10"], abs=0.05)
    index = read(ours)
    assert index.ntotal == ROWS
    found = index.search(rows, 1)[1][:, 0] if kind == "hnsw" else _first_of_its_list(index, rows)
    assert (found == np.arange(ROWS)).mean() > 0.98


def _first_of_its_list(index, rows: np.ndarray) -> np.ndarray:
    return index.search(rows, 1, params=faiss.SearchParametersIVF(nprobe=2))[1][:, 0]


def test_the_ground_truth_is_exact() -> None:
    rows, queries = clustered(rows=300), clustered(rows=7, seed=3)
    found = -np.sort(-by_flat_indexes().best_scores(queries, rows, 10), axis=1)
    assert np.allclose(found, -np.sort(-(queries @ rows.T), axis=1)[:, :10], atol=1e-5)
    # Fewer rows than neighbours: all of them, nothing made up.
    assert by_flat_indexes().best_scores(queries, rows[:3], 10).shape == (7, 3)


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_what_fails_is_done_by_the_processors_and_said(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """FAISS raises RuntimeError for whatever goes wrong on a GPU; here for a row that is not there."""
    monkeypatch.setattr(certified_index, "IVF_LISTS", 8)

    def failing(dim: int):
        index = faiss.IndexFlatIP(dim)
        index.add(np.zeros((1, dim), np.float32))
        index.reconstruct(99)
        return index

    monkeypatch.setattr(certified_index, "available_work", lambda: [FlatIndexWork("a GPU", failing), ProcessorWork()])
    built = build_index(in_parts(clustered(rows=900)), IndexPlan(kind=kind, target_recall=0.5))
    assert read(built).ntotal == 900
    assert "building the index on a GPU failed (" in caplog.text and "the processors build it" in caplog.text


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="needs faiss-gpu and a GPU that it sees")
def test_a_gpu_builds_an_index_of_the_same_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certified_index, "IVF_LISTS", 64)
    rows = clustered(rows=8000, dim=DIM)
    work = available_work()[0]
    queries = rows[:20]
    exact = -np.sort(-(queries @ rows.T), axis=1)[:, :10]
    assert np.allclose(-np.sort(-work.best_scores(queries, rows, 10), axis=1), exact, atol=1e-3)
    built = build_index(in_parts(rows), IndexPlan(kind="ivf", target_recall=0.9))
    assert built.facts["recall_at_10"] >= 0.9 and read(built).ntotal == 8000

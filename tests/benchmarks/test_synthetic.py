"""Synthetic databases: clustered, repeatable, and real to the reader; the scripts that use them run at tiny sizes."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import growth, indexing, open_database
from benchmarks.synthetic import FINGERPRINT, Vectors, exact_neighbours, row_id, token_block, write_index, write_rows
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase

ROWS, DIM = 300, 32


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return Vectors(dim=DIM)


@pytest.fixture(scope="module")
def path(vectors: Vectors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "db"
    write_rows(path, ROWS, vectors=vectors)
    assert write_index(path)["kind"] == "flat"
    return path


def test_vectors_cluster_and_come_again_the_same() -> None:
    wide = Vectors()
    block = next(wide.blocks(4000))
    assert np.allclose(np.linalg.norm(block, axis=1), 1, atol=1e-5)
    similar = np.sort(block[:200] @ block.T, axis=1)
    # Some four rows of each topic: close to each other, far from all others.
    assert np.median(similar[:, -2]) > 0.5 and abs(np.median(similar)) < 0.1
    assert np.array_equal(block, next(Vectors().blocks(4000)))
    assert (wide.queries(50) @ block.T).max() < 0.999


def test_the_database_is_sound_and_searched_as_computed(vectors: Vectors, path: Path) -> None:
    assert verify_database(path).sound
    database, queries = MotionDatabase.open(path), vectors.queries(5)
    truth = exact_neighbours(vectors, ROWS, queries, 9)
    for query, numbers in zip(queries, truth, strict=True):
        hits = database.search(query, field="frame", k=9)
        assert [hit.row_id for hit in hits] == [row_id(int(number)) for number in numbers]
    tokens = database.tokens([row_id(7)], fingerprint=FINGERPRINT).motion_tokens[0]
    assert np.array_equal(tokens, token_block(ROWS, seed=0).motion_tokens[7])


def test_a_sparse_database_opens_and_answers(tmp_path: Path) -> None:
    manifest = open_database.write_sparse(tmp_path, ROWS, dim=DIM)
    tokens = next((tmp_path / "segments").glob("*/*.safetensors"))
    assert tokens.stat().st_size > ROWS * 100_000 > 50 * 512 * tokens.stat().st_blocks
    lines = open_database.steps(str(tmp_path), manifest.row_count, DIM)
    assert lines[0]["step"] == "open" and all(line["seconds"] > 0 for line in lines)


def test_growth_at_a_tiny_size(tmp_path: Path) -> None:
    line = growth.build(str(tmp_path / "db"), 600, DIM)
    assert line["clips"] == 600 and line["recall_at_10"] == 1.0 and line["disk_bytes_each"] > 4096
    assert len(MotionDatabase.open(tmp_path / "db")) == 600


def test_indexing_at_a_tiny_size() -> None:
    lines = {line["what"]: line for line in indexing.measure(8, repeats=1)}
    assert len(lines) == 5 and {"build", "decode alone", "encode alone, other processor busy"} < set(lines)
    assert lines["build"]["times_the_larger"] > 0 and lines["build"]["times_the_larger_when_both_are_busy"] > 0

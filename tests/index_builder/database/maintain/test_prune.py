"""Pruning: few clips that stand for all, more surely than clips drawn by chance; undone as every removal is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.database.format.tokens import StoredTokens
from index_builder.database.maintain import coverage
from index_builder.database.maintain.coverage import CELL_ROWS, cover
from index_builder.database.maintain.prune import PruneReport, prune_database
from index_builder.database.maintain.remove import restore_rows
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import InvalidSetting
from tests.index_builder.sample_rows import DIM, TOKENS, batch, open_writer

# Kinds of motion and how many clips of each: two are common, the others rare.
SIZES = (120, 100, 10, 10, 10, 10)


def directions(seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(len(SIZES), DIM))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Clips of a kind have nearly the same caption, picture and motion."""
    kinds, rng = np.repeat(np.arange(len(SIZES)), SIZES), np.random.default_rng(3)
    vectors = directions(1)[kinds] + 0.05 * rng.normal(size=(len(kinds), DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    motion = rng.normal(size=(len(SIZES), *TOKENS))[kinds] + 0.1 * rng.normal(size=(len(kinds), *TOKENS))
    made = batch(range(len(kinds)))
    rows = [replace(row, caption=f"kind {kind}") for row, kind in zip(made.rows, kinds, strict=True)]
    tokens = StoredTokens(motion.astype(np.float16), made.tokens.appearance_tokens)
    with open_writer(tmp_path / "db") as writer:
        writer.commit_rows(replace(made, rows=rows, text=vectors, frame=vectors, tokens=tokens))
        writer.commit_indexes()
    return tmp_path / "db"


def kinds_of(database: Path) -> set[str]:
    return {caption for (caption,) in MotionDatabase.open(database).each_row("caption")}


def test_a_tenth_covers_every_kind_and_comes_back(database: Path) -> None:
    heard: list[PruneReport] = []
    foreseen = prune_database(database, keep=0.1, dry_run=True)
    report = prune_database(database, keep=0.1, on_table=heard.append)
    assert (report.clips, report.kept, len(report.removed)) == (260, 26, 234) and heard == [report]
    assert foreseen.removed == report.removed and foreseen.dry_run
    assert len(MotionDatabase.open(database)) == 26 and kinds_of(database) == {f"kind {kind}" for kind in range(6)}
    assert [quality.share for quality in report.qualities] == [0.1, 0.25, 0.5]
    restore_rows(database, RowFilter())
    assert len(MotionDatabase.open(database)) == 260


def test_what_covers_keeps_more_of_retrieval_than_chance(database: Path) -> None:
    report = prune_database(database, keep=0.25, dry_run=True)
    quality = next(quality for quality in report.qualities if quality.share == 0.25)
    assert quality.error < quality.random_error and report.whole_error < 0.2
    errors = [quality.error for quality in report.qualities]
    assert errors[0] >= errors[-1] >= 0


def test_large_sets_are_parted_and_the_shares_add_up() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3 * CELL_ROWS, 8)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    kept = cover(points, 61)
    assert len(kept) == len(set(kept.tolist())) == 61 and np.array_equal(kept, np.sort(kept))
    worst = (points @ points[kept].T).max(axis=1).min()
    by_chance = (points @ points[rng.choice(len(points), 61, replace=False)].T).max(axis=1).min()
    assert worst > by_chance
    assert np.array_equal(cover(points[:5], 9), np.arange(5))


@pytest.mark.parametrize("keep", [0, 1, -0.5, 1.5, float("nan")])
def test_impossible_shares(database: Path, keep: float) -> None:
    with pytest.raises(InvalidSetting, match="a share to keep between 0 and 1"):
        prune_database(database, keep=keep)


def test_too_few_to_find_neighbours_among(database: Path) -> None:
    with pytest.raises(
        InvalidSetting, match=r"at least 9 clips, received a share of 0\.03, which is 8 of 260: keep more"
    ):
        prune_database(database, keep=0.03)


@pytest.mark.parametrize("cell_rows", [CELL_ROWS, 64])
def test_a_rare_kind_counts_as_much_as_a_frequent_one(cell_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a set that is so large that it is parted and weighed by a sample."""
    monkeypatch.setattr(coverage, "CELL_ROWS", cell_rows)
    kinds, rng = np.repeat(np.arange(3), (1200, 60, 40)), np.random.default_rng(0)
    points = np.eye(3, 16)[kinds] + 0.1 * rng.normal(size=(len(kinds), 16))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    kept = np.bincount(kinds[cover(points, 45)], minlength=3)
    assert kept.sum() == 45 and kept.min() >= 8, kept

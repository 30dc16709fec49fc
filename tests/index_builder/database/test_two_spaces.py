"""Captions in a space of their own: another width, other queries, and clips without a caption are not found by text."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.format.manifest import list_generations, manifest_path, read_manifest
from index_builder.database.format.rows import ClipRow
from index_builder.database.format.tokens import StoredTokens
from index_builder.database.maintain.compact import compact_database
from index_builder.database.maintain.export import export_database
from index_builder.database.maintain.merge import merge_databases
from index_builder.database.maintain.remove import remove_rows
from index_builder.database.maintain.summary import summarise
from index_builder.database.maintain.verify import verify_database
from index_builder.database.maintain.writer import DatabaseWriter
from index_builder.database.search.certified_index import IndexPlan, Vectors, build_index
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import DatabaseDamaged, DatabaseMismatch, InvalidSetting
from index_builder.features.embedding_space import EmbeddingSpace
from index_builder.report.facts import describe
from tests.index_builder.sample_rows import DIM, SAMPLING, TEMPLATE, batch, row_id, write_database

TEXT_DIM = 5
WORDS = EmbeddingSpace(fingerprint="words-1", description="words (5)", dim=TEXT_DIM)
TWO = replace(TEMPLATE, text_space=WORDS, format_version=2)
# sample_rows: every third row has no caption
CAPTIONED = [row_id(number) for number in (1, 2, 4, 5)]


def words(number: int) -> np.ndarray:
    drawn = np.random.default_rng((7, number)).normal(size=TEXT_DIM).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def two_space_batch(numbers) -> RowBatch:
    return replace(batch(numbers), text=np.stack([words(number) for number in numbers]))


def write_two_spaces(database: Path, *, segments=((0, 1, 2), (3, 4), (5,)), template=TWO) -> Path:
    with DatabaseWriter(database, template=template, sampling=SAMPLING) as writer:
        for numbers in segments:
            writer.commit_rows(two_space_batch(numbers))
        writer.commit_indexes()
    return database


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_two_spaces(tmp_path / "db")


@pytest.mark.parametrize("with_index", [True, False])
def test_each_field_is_searched_in_its_own_space(database: Path, with_index: bool) -> None:
    if not with_index:
        for path in (database / "indexes").iterdir():
            path.unlink()
    opened = MotionDatabase.open(database)
    hits = opened.search(words(4), field="text", k=10)
    assert hits[0].row_id == row_id(4) and hits[0].score == pytest.approx(1, abs=1e-5)
    assert sorted(hit.row_id for hit in hits) == CAPTIONED
    assert len(opened.search(batch([0]).frame[0], field="frame", k=10)) == 6
    excluded = opened.search(words(4), field="text", k=10, exclude_ids=[row_id(4)])
    assert sorted(hit.row_id for hit in excluded) == [row_id(number) for number in (1, 2, 5)]
    narrowed = opened.search(words(4), field="text", k=10, where=RowFilter(ids=(row_id(0), row_id(1))))
    assert [hit.row_id for hit in narrowed] == [row_id(1)]


def test_a_query_of_the_other_space_is_refused(database: Path) -> None:
    opened = MotionDatabase.open(database)
    with pytest.raises(InvalidSetting, match=r"finite query of shape \(5,\).*words \(5\)"):
        opened.search(batch([0]).frame[0], field="text", k=1)
    with pytest.raises(InvalidSetting, match=r"finite query of shape \(8,\).*numbers \(8\)"):
        opened.search(words(0), field="frame", k=1)


def test_a_clip_without_a_caption_has_zeros_for_it(database: Path) -> None:
    opened = MotionDatabase.open(database)
    stored = opened.embeddings([row_id(3), row_id(4)], "text")
    assert np.array_equal(stored, np.stack([np.zeros(TEXT_DIM, np.float32), words(4)]))
    assert np.array_equal(np.concatenate(list(opened.vectors("text").parts()))[3:5], stored)


def test_a_width_of_captions_like_that_of_frames_makes_no_one_space(tmp_path: Path) -> None:
    same_width = replace(TWO, text_space=replace(WORDS, dim=DIM))
    with DatabaseWriter(tmp_path / "db", template=same_width, sampling=SAMPLING) as writer:
        writer.commit_rows(batch(range(6)))
    opened = MotionDatabase.open(tmp_path / "db")
    assert sorted(hit.row_id for hit in opened.search(batch([4]).text[0], field="text", k=9)) == CAPTIONED


def test_every_command_keeps_both_spaces(database: Path, tmp_path: Path) -> None:
    other = write_two_spaces(tmp_path / "other", segments=((6, 7), (8,)))
    merge_databases([database, other], output=tmp_path / "merged")
    remove_rows(tmp_path / "merged", RowFilter(ids=(row_id(1),)))
    compact_database(tmp_path / "merged")
    report = verify_database(tmp_path / "merged")
    assert report.sound, report.problems
    opened = MotionDatabase.open(tmp_path / "merged")
    assert opened.manifest.text_space == WORDS and opened.manifest.format_version == 2
    found = opened.search(words(7), field="text", k=10)
    assert [row_id(7), row_id(8)] == sorted(hit.row_id for hit in found)[-2:] and found[0].row_id == row_id(7)
    table_path = tmp_path / "clips.parquet"
    export_database(tmp_path / "merged", table_path, embeddings=True)
    exported = pyarrow.parquet.read_table(table_path).to_pylist()
    assert {len(row["text_embedding"]) for row in exported if row["caption"]} == {TEXT_DIM}
    assert {len(row["frame_embedding"]) for row in exported} == {DIM}
    facts = dict(describe(summarise(opened)))
    assert facts["captions by"] == "words (5), fingerprint words-1"
    assert facts["first frames by"] == "numbers (8), fingerprint retrieval-1"


def test_databases_of_other_spaces_do_not_mix(database: Path, tmp_path: Path) -> None:
    one_space = write_database(tmp_path / "one")
    with pytest.raises(DatabaseMismatch, match=r"encoded by words \(5\).* found .*numbers \(8\)"):
        merge_databases([database, one_space], output=tmp_path / "merged")
    retrained = replace(TWO, text_space=replace(WORDS, fingerprint="words-2"))
    with pytest.raises(
        DatabaseMismatch, match=r"words \(5\) \(words-2\) as by this pack, found words \(5\) \(words-1\)"
    ):
        DatabaseWriter(database, template=retrained, sampling=SAMPLING).__enter__()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"format_version": 1}, "which format version 1 does not know"),
        ({"text_space": replace(WORDS, dim=0)}, "captions of 0 numbers"),
        ({"text_space": replace(WORDS, dim=True)}, "captions of True numbers"),
        ({"text_space": replace(WORDS, description=3)}, "named by another type than text"),
        ({"text_space": replace(WORDS, dim=TEXT_DIM + 1)}, "its columns are not those"),
    ],
)
def test_an_impossible_space_is_refused(database: Path, changes: dict, problem: str) -> None:
    newest = list_generations(database)[0]
    changed = replace(read_manifest(database, newest), **changes)
    for generation in list_generations(database):
        manifest_path(database, generation).unlink()
    manifest_path(database, newest).write_bytes(changed.to_bytes())
    with pytest.raises(DatabaseDamaged, match=problem):
        MotionDatabase.open(database)


def test_one_space_is_still_written_as_version_1(tmp_path: Path) -> None:
    manifest = MotionDatabase.open(write_database(tmp_path / "one")).manifest
    assert manifest.format_version == 1 and manifest.text_space is None


def test_a_graph_is_judged_by_rows_that_have_a_caption() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, TEXT_DIM)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[rng.random(3000) < 0.9] = 0
    vectors = Vectors(row_count=len(rows), dim=TEXT_DIM, parts=lambda: iter([rows]))
    built = build_index(vectors, IndexPlan(kind="hnsw"))
    assert 0 < built.facts["queries"] < 60 and built.facts["recall_at_10"] >= 0.95
    rows[:] = 0
    assert build_index(vectors, IndexPlan(kind="hnsw")).facts["queries"] == 200


def test_rows_of_two_widths_survive_without() -> None:
    left = two_space_batch([1, 2, 3]).without({row_id(2)})
    assert left is not None and left.text.shape == (2, TEXT_DIM) and left.frame.shape == (2, DIM)
    assert isinstance(left.rows[0], ClipRow) and isinstance(left.tokens, StoredTokens)

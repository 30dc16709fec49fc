"""Compacting: removed rows leave the disk, others stay as they were; open readers go on; damage is not copied."""

from pathlib import Path

import pytest

from index_builder.database.commit import segment_rows
from index_builder.database.format.manifest import list_generations, manifest_path
from index_builder.database.maintain.compact import compact_database
from index_builder.database.maintain.remove import remove_rows, restore_rows
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import DatabaseDamaged, DatabaseNotFound
from tests.index_builder.kill_points import rows_of
from tests.index_builder.sample_rows import batch, open_writer, row_id, unit_vector, write_database


@pytest.fixture
def database(tmp_path: Path) -> Path:
    write_database(tmp_path / "db")
    remove_rows(tmp_path / "db", RowFilter(ids=(row_id(1), row_id(5))))
    return tmp_path / "db"


def test_rows_stay_and_space_is_freed(database: Path) -> None:
    before = rows_of(database)
    report = compact_database(database)
    assert (report.removed_rows_left_out, report.segments_before, report.segments_after) == (2, 3, 1)
    assert report.bytes_after < report.bytes_before and report.clips == 4
    assert rows_of(database) == before
    manifest = MotionDatabase.open(database).manifest
    assert manifest.tombstones == () and set(manifest.dropped) == {row_id(1), row_id(5)}
    assert verify_database(database).sound and verify_database(database).notes == ()
    assert len(list((database / "segments").iterdir())) == 1


def test_a_second_time_changes_nothing(database: Path) -> None:
    compact_database(database)
    files = sorted(path.name for path in database.rglob("*"))
    report = compact_database(database)
    assert report.removed_rows_left_out == 0 and report.bytes_after == report.bytes_before
    assert sorted(path.name for path in database.rglob("*")) == files


def test_one_damaged_manifest_is_survived_afterwards(database: Path) -> None:
    compact_database(database)
    newest, before = list_generations(database)
    manifest_path(database, newest).write_bytes(b"{")
    opened = MotionDatabase.open(database)
    assert opened.generation == before and len(opened) == 4


def test_readers_that_are_open_go_on(database: Path) -> None:
    opened = MotionDatabase.open(database)
    compact_database(database)
    assert not [segment for segment in opened.manifest.segments if (database / "segments" / segment.name).exists()]
    hits = opened.search(unit_vector(4, 0), field="text", k=6)
    assert len(hits) == 4
    assert opened.tokens([hit.row_id for hit in hits], fingerprint="tokens-1").motion_tokens.shape == (4, 2, 3)


def test_a_removed_clip_is_not_brought_back_by_a_build_until_it_is_restored(database: Path) -> None:
    compact_database(database)
    with open_writer(database) as writer:
        assert writer.commit_rows(batch([1, 9])) == {row_id(1)}
    report = restore_rows(database, RowFilter(ids=(row_id(1),)))
    assert "build again" in report.rows[0].reason
    with open_writer(database) as writer:
        assert writer.commit_rows(batch([1])) == set()
    assert len(MotionDatabase.open(database)) == 6


def test_large_segments_are_left_alone(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_rows, "MAX_SEGMENT_ROWS", 2)
    untouched = MotionDatabase.open(database).manifest.segments[1]
    report = compact_database(database)
    manifest = MotionDatabase.open(database).manifest
    assert untouched in manifest.segments and report.segments_after == 2
    assert sorted(segment.row_count for segment in manifest.segments) == [2, 2]


def test_all_rows_may_be_gone(database: Path) -> None:
    remove_rows(database, RowFilter(caption_words=("caption",)))
    remove_rows(database, RowFilter(sources=("v*",)))
    report = compact_database(database)
    assert (report.clips, report.segments_after) == (0, 0)
    opened = MotionDatabase.open(database)
    assert opened.ids() == [] and opened.search(unit_vector(0, 0), field="text", k=3) == []


def test_damage_is_refused_and_not_given_a_new_hash(database: Path) -> None:
    # Of the first segment, which keeps a row: what happens to one that goes as a whole is of no consequence.
    path = database / MotionDatabase.open(database).manifest.segments[0].tokens[0].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    generation = list_generations(database)[0]
    with pytest.raises(DatabaseDamaged, match="its bytes changed"):
        compact_database(database)
    assert list_generations(database)[0] == generation
    assert len(list((database / "segments").iterdir())) == 3


def test_no_database_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotFound, match="found no manifest"):
        compact_database(tmp_path)

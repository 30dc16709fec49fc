"""Merging: rows of several databases in one, each once; what was removed stays removed; other kinds are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.database.format.manifest import list_generations
from index_builder.database.maintain.merge import merge_databases
from index_builder.database.maintain.remove import remove_rows
from index_builder.database.maintain.verify import verify_database
from index_builder.database.maintain.writer import DatabaseWriter
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import DatabaseDamaged, DatabaseMismatch, DatabaseNotWritable, InvalidSetting
from tests.index_builder.kill_points import rows_of
from tests.index_builder.sample_rows import SAMPLING, TEMPLATE, batch, row_id, write_database


def test_rows_of_all_are_there_once_and_unchanged(tmp_path: Path) -> None:
    one, two = write_database(tmp_path / "one"), write_database(tmp_path / "two", segments=[(4, 5, 6), (7,)])
    report = merge_databases([one, two], output=tmp_path / "all")
    assert [(source.added, source.already_there) for source in report.sources] == [(6, 0), (2, 2)]
    assert rows_of(tmp_path / "all") == {**rows_of(one), **rows_of(two)}
    again = merge_databases([one, two], output=tmp_path / "all")
    assert [source.added for source in again.sources] == [0, 0] and again.generation == report.generation
    assert verify_database(tmp_path / "all").sound
    assert [segment.sampling for segment in MotionDatabase.open(tmp_path / "all").manifest.segments] == [SAMPLING] * 5


def test_removed_rows_are_left_behind_and_stay_removed(tmp_path: Path) -> None:
    one, two = write_database(tmp_path / "one"), write_database(tmp_path / "two", segments=[(1, 8)])
    remove_rows(one, RowFilter(ids=(row_id(1),)))
    report = merge_databases([two], output=one)
    assert (report.sources[0].removed_there, report.sources[0].added) == (1, 1)
    into_new = merge_databases([one], output=tmp_path / "new")
    assert into_new.sources[0].removed_here == 1 and row_id(1) not in MotionDatabase.open(tmp_path / "new").ids()


def test_other_kinds_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    one = write_database(tmp_path / "one")
    with DatabaseWriter(
        tmp_path / "other", template=replace(TEMPLATE, retrieval_fingerprint="x"), sampling=SAMPLING
    ) as writer:
        writer.commit_rows(batch([9]))
    for sources, output in (([one, tmp_path / "other"], tmp_path / "new"), ([one], tmp_path / "other")):
        generations = list_generations(output)
        with pytest.raises(DatabaseMismatch, match=r"as by database one, found .*: merge only databases that one pack"):
            merge_databases(sources, output=output)
        assert list_generations(output) == generations


def test_a_database_is_not_merged_into_itself_nor_into_other_files(tmp_path: Path) -> None:
    one = write_database(tmp_path / "one")
    with pytest.raises(InvalidSetting, match="to merge into another one"):
        merge_databases([one], output=tmp_path / "x" / ".." / "one")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(DatabaseNotWritable, match="holds other files"):
        merge_databases([one], output=tmp_path / "full")


def test_damage_of_a_source_is_not_copied(tmp_path: Path) -> None:
    one = write_database(tmp_path / "one")
    path = next((one / "segments").glob("*/rows.arrow"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatabaseDamaged, match=r"its bytes changed|Expected sound rows"):
        merge_databases([one], output=tmp_path / "all")
    assert not list_generations(tmp_path / "all") or verify_database(tmp_path / "all").sound


def test_a_caption_on_either_side_is_kept(tmp_path: Path) -> None:
    """Rows 0 and 3 have no caption where they are first; the same rows of another database have one."""
    bare = write_database(tmp_path / "bare", segments=[(0, 1, 3)])
    told = batch([0, 3, 1])
    rows = [replace(row, caption=f"told {row.id[:32].lstrip('0') or 0}") for row in told.rows]
    with DatabaseWriter(tmp_path / "told", template=TEMPLATE, sampling=SAMPLING) as writer:
        writer.commit_rows(replace(told, rows=rows))
    for name, sources in (("a", [bare, tmp_path / "told"]), ("b", [tmp_path / "told", bare])):
        report = merge_databases(sources, output=tmp_path / name)
        merged = MotionDatabase.open(tmp_path / name)
        captions = dict(merged.each_row("id", "caption"))
        assert (captions[row_id(0)], captions[row_id(3)]) == ("told 0", "told 3")
        # What has a caption already keeps its own.
        assert captions[row_id(1)] == ("caption 1" if name == "a" else "told 1")
        assert [source.captioned for source in report.sources] == ([0, 2] if name == "a" else [0, 0])
        assert np.array_equal(merged.embeddings([row_id(3)], "text")[0], told.text[1])
        assert verify_database(tmp_path / name).sound and merged.search_kind("text") == "flat"

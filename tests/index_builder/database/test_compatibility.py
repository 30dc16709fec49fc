"""Databases of the first programs of version 1 (tests/golden/database_v1) open, extend and change as new ones do."""

import shutil
from pathlib import Path

import pytest

from index_builder.database.maintain.compact import compact_database
from index_builder.database.maintain.remove import remove_rows
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from tests.index_builder.sample_rows import batch, clip_row, open_writer, row_id, unit_vector

STORED = Path(__file__).resolve().parents[2] / "golden" / "database_v1"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "db"))


def test_an_old_database_opens(database: Path) -> None:
    opened = MotionDatabase.open(database)
    assert opened.rows(opened.ids()) == [clip_row(number) for number in range(5)]
    assert opened.search_kind("text") == "flat" and opened.search_facts("text") == {}
    assert opened.search(unit_vector(4, 0), field="text", k=5)[0].row_id == row_id(4)
    assert opened.tokens([row_id(3)], fingerprint="tokens-1").motion_tokens[0, 0, 0] == 3
    assert verify_database(database).sound


def test_an_old_database_is_extended_and_compacted(database: Path) -> None:
    with open_writer(database) as writer:
        assert writer.commit_rows(batch([4, 5])) == {row_id(4)}
        writer.commit_indexes()
    remove_rows(database, RowFilter(ids=(row_id(0),)))
    assert compact_database(database).clips == 5
    opened = MotionDatabase.open(database)
    assert opened.ids() == [row_id(number) for number in range(1, 6)]
    assert opened.search_facts("text")["recall_at_10"] == 1.0 and verify_database(database).sound

"""Exporting: a parquet file that other tools read, with what was asked for and without removed rows."""

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from index_builder.database.maintain.export import export_database
from index_builder.database.maintain.remove import remove_rows
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import DatabaseNotWritable, InvalidSetting
from tests.index_builder.sample_rows import clip_row, row_id, write_database


@pytest.fixture
def database(tmp_path: Path) -> Path:
    write_database(tmp_path / "db")
    remove_rows(tmp_path / "db", RowFilter(ids=(row_id(2),)))
    return tmp_path / "db"


def test_everything_comes_back(database: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "all.parquet"
    report = export_database(database, output, embeddings=True, thumbnails=True, tokens=True)
    table = pyarrow.parquet.read_table(output)
    assert report.rows == table.num_rows == 5 and report.size_bytes == output.stat().st_size
    assert set(report.columns) == set(table.column_names)
    rows = table.to_pylist()
    numbers = [0, 1, 3, 4, 5]
    assert [row["id"] for row in rows] == [row_id(number) for number in numbers]
    assert [row["caption"] for row in rows] == [clip_row(number).caption for number in numbers]
    opened = MotionDatabase.open(database)
    ids = [row["id"] for row in rows]
    stored = opened.tokens(ids, fingerprint="tokens-1")
    field = table.schema.field("motion_tokens")
    shape = tuple(map(int, field.metadata[b"shape"].decode().split(",")))
    motion = np.array([row["motion_tokens"] for row in rows]).reshape(5, *shape)
    assert np.array_equal(motion, stored.motion_tokens) and field.metadata[b"fingerprint"] == b"tokens-1"
    frames = np.array([row["frame_embedding"] for row in rows], np.float32)
    assert np.array_equal(frames, opened.embeddings(ids, "frame"))
    assert rows[0]["text_embedding"] is None and rows[0]["thumbnail"] == clip_row(0).thumbnail


def test_an_existing_file_is_replaced_and_another_export_respected(database: Path, tmp_path: Path) -> None:
    from index_builder.database.commit.presence import try_lock

    output = tmp_path / "all.parquet"
    output.write_bytes(b"old")
    export_database(database, output)
    assert pyarrow.parquet.read_table(output).num_rows == 5
    with (tmp_path / ".tmp-all.parquet").open("ab") as other:
        assert try_lock(other)
        with pytest.raises(DatabaseNotWritable, match="another export is at it"):
            export_database(database, output)
        assert (tmp_path / ".tmp-all.parquet").exists()


def test_no_rows_are_a_table_all_the_same(database: Path, tmp_path: Path) -> None:
    remove_rows(database, RowFilter(sources=("v*",)))
    assert export_database(database, tmp_path / "none.parquet", tokens=True).rows == 0
    assert "motion_tokens" in pyarrow.parquet.read_schema(tmp_path / "none.parquet").names


def test_other_formats_are_refused(database: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"a \.parquet file to write"):
        export_database(database, tmp_path / "all.csv")

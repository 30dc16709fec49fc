"""Parquet files that unfold to far more than they hold end in one error, before the memory is asked for."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from index_builder import parquet_rows
from index_builder.captions.table import read_table
from index_builder.errors import CaptionTableInvalid
from index_builder.parquet_rows import ParquetRows, ParquetTooLarge
from motionrag_nodes.batch_render.errors import JobTableError
from motionrag_nodes.batch_render.jobs.table import read_job_table
from tests.mutations import limited

ROWS = 100_000


def repeated(value: bytes | str, count: int = ROWS) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), count), pa.array([value]))


def lists(count: int) -> pa.Array:
    """One list of `count` repetitions of a megabyte."""
    return pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), repeated("x" * (1 << 20), count))


def stored() -> pa.Array:
    """Pictures as they are stored in tables, under long names."""
    return pa.StructArray.from_arrays([repeated(b""), repeated("x" * (1 << 20))], ["bytes", "path"])


BOMBS = {
    "text": lambda: {"path": repeated("a.mp4"), "caption": repeated("x" * (1 << 20))},
    "bytes": lambda: {"path": repeated("a.mp4"), "caption": repeated(b"x" * (1 << 20))},
    "list": lambda: {"path": ["a.mp4"], "caption": lists(ROWS)},
    "struct": lambda: {"path": stored(), "caption": repeated("a")},
}


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_one_error(tmp_path: Path, kind: str, kept: bool) -> None:
    """Whether or not the file says that it was made of repetitions; 100 GB in a megabyte."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(BOMBS[kind]()), path, store_schema=kept)
    assert path.stat().st_size < 2 << 20
    with (
        limited(memory_mib=1536),
        pytest.raises(CaptionTableInvalid, match=r"t\.parquet, but it unfolds to too much \(expected"),
    ):
        read_table(path)


def test_a_job_table_that_unfolds_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "jobs.parquet"
    pq.write_table(pa.table({"name": repeated("a"), "3.text": repeated("x" * (1 << 20))}), path)
    with (
        limited(memory_mib=1536),
        pytest.raises(JobTableError, match=r"jobs\.parquet, but it unfolds to too much \(expected"),
    ):
        read_job_table(path)


def test_counts_are_held_to_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(
        pa.table({"a": pa.nulls(3000, pa.int8()), "w": pa.array([b"x" * 5000] * 3000, pa.binary(5000))}), path
    )
    with pytest.raises(ParquetTooLarge, match="values of up to 4,096 bytes in w"):
        list(ParquetRows(path).read())
    assert len(list(ParquetRows(path).read(["a"]))) == 3000
    for name, most, said in (
        ("MAX_ROWS", 2999, "up to 2,999 rows, received 3,000"),
        ("MAX_VALUES", 2999, "up to 2,999 values in 8 GiB, received 3,000 in 0 MiB"),
        ("MAX_TABLE_BYTES", 1, "up to 200,000,000 values in 0 GiB, received 3,000 in"),
        ("MAX_BATCH_BYTES", 1024, "received 0 MiB in 1,024 rows and 0 MiB so far"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(parquet_rows, name, most)
            with pytest.raises(ParquetTooLarge, match=re.escape(said)):
                list(ParquetRows(path).read(["a"]))


def test_rows_come_as_they_were_written(tmp_path: Path) -> None:
    """All kinds of columns, over several batches; of a stored video its path alone."""
    count = parquet_rows.BATCH_ROWS + 5
    rows = [
        {"t": f"é {n % 7}", "b": b"x", "n": n, "l": ["a", None, str(n)], "m": [("k", n)], "f": [0.5, n], "o": None}
        for n in range(count)
    ]
    kinds = [pa.string(), pa.binary(), pa.int64(), pa.list_(pa.string()), pa.map_(pa.string(), pa.int64())]
    kinds += [pa.list_(pa.float64(), 2), pa.string()]
    schema = pa.schema(list(zip(rows[0], kinds, strict=True)))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "t.parquet")
    assert list(ParquetRows(tmp_path / "t.parquet").read()) == rows
    videos = pa.table({"video": [{"bytes": b"x" * 100, "path": "a.mp4"}], "caption": ["a ball"]})
    pq.write_table(videos, tmp_path / "v.parquet")
    assert list(ParquetRows(tmp_path / "v.parquet").read(["video"])) == [{"video": {"path": "a.mp4"}}]
    assert [(row.name, row.caption) for row in read_table(tmp_path / "v.parquet").rows] == [("a.mp4", "a ball")]

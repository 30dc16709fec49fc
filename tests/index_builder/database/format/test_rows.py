"""Rows: what is read is what was written; a damaged file is refused before its offsets are trusted."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from index_builder.database.format.rows import BATCH_ROWS, ClipRow, RowsFile, encode_rows
from index_builder.errors import DatabaseDamaged


def clip_row(number: int) -> ClipRow:
    return ClipRow(
        id=f"{number:032x}@0-2000",
        source=f"/videos/é 日本/{number}.mp4",
        start_sec=0.25,
        end_sec=2.25,
        fps=29.97,
        width=640,
        height=360,
        caption=None if number % 3 == 0 else f"caption {number} 🎬",
        thumbnail=bytes([number % 256]) * 20,
        source_size_bytes=10**12 + number,
        source_mtime_ns=17 * 10**17 + number,
    )


def vectors(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


@pytest.fixture
def rows_path(tmp_path: Path) -> Path:
    count = BATCH_ROWS + 10
    content = encode_rows([clip_row(n) for n in range(count)], text=vectors(count, 0), frame=vectors(count, 1))
    (tmp_path / "rows.arrow").write_bytes(content)
    return tmp_path / "rows.arrow"


def test_rows_and_embeddings_come_back(rows_path: Path) -> None:
    count = BATCH_ROWS + 10
    rows = RowsFile(rows_path, embedding_dim=4, row_count=count)
    for number in (0, 1, BATCH_ROWS - 1, BATCH_ROWS, count - 1):
        assert rows.row(number) == clip_row(number)
        assert rows.value("id", number) == clip_row(number).id
    assert rows.column("source")[-1] == clip_row(count - 1).source
    text, frame = vectors(count, 0), vectors(count, 1)
    assert np.array_equal(rows.embeddings("frame"), frame)
    absent = np.arange(count) % 3 == 0
    assert np.array_equal(rows.embeddings("text"), np.where(absent[:, None], frame, text))


@pytest.mark.parametrize(
    ("dim", "count", "message"),
    [(5, BATCH_ROWS + 10, "columns"), (4, 3, "2 batches"), (4, BATCH_ROWS + 11, "has 10 rows")],
)
def test_another_shape_than_the_manifest_says_is_damage(rows_path: Path, dim: int, count: int, message: str) -> None:
    with pytest.raises(DatabaseDamaged, match=message):
        RowsFile(rows_path, embedding_dim=dim, row_count=count).column("id")


def test_foreign_and_torn_files_are_damage(tmp_path: Path, rows_path: Path) -> None:
    content = rows_path.read_bytes()
    for spoiled in (b"", b"ARROW1", content[: len(content) // 2], b"\x00" * len(content)):
        (tmp_path / "torn.arrow").write_bytes(spoiled)
        with pytest.raises(DatabaseDamaged, match="it cannot be opened by Arrow"):
            RowsFile(tmp_path / "torn.arrow", embedding_dim=4, row_count=BATCH_ROWS + 10)


def test_string_offsets_out_of_range_are_noticed_before_they_are_followed(rows_path: Path) -> None:
    count = BATCH_ROWS + 10
    with pa.memory_map(str(rows_path)) as mapped:
        buffers = pa.ipc.open_file(mapped).get_batch(0).column("id").buffers()
        offsets = buffers[1].to_pybytes()
    content = bytearray(rows_path.read_bytes())
    place = content.index(offsets)
    content[place + 8 : place + 12] = (1 << 30).to_bytes(4, "little")
    rows_path.write_bytes(content)
    with pytest.raises(DatabaseDamaged, match="batch 0 is damaged"):
        RowsFile(rows_path, embedding_dim=4, row_count=count).row(1)

"""Batches that Arrow would unpack are found in the file's description, before Arrow reads them."""

import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from index_builder.database.format.arrow_batches import packed_batch
from index_builder.database.format.rows import RowsFile, rows_schema
from index_builder.errors import DatabaseDamaged


def ipc_file(table: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=100)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def table() -> pa.Table:
    return pa.table({"number": np.arange(350), "text": [f"caption {n}" * 20 for n in range(350)]})


def test_plain_batches_are_found_plain_in_either_form(table: pa.Table) -> None:
    for content in (ipc_file(table), ipc_file(table, use_legacy_format=True)):
        assert [packed_batch(content, number) for number in range(5)] == [None] * 4 + ["it is not there"]
    assert packed_batch(ipc_file(table.slice(0, 0)), 0) == "it is not there"


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
@pytest.mark.parametrize("legacy", [False, True])
def test_compressed_batches_are_found(table: pa.Table, codec: str, legacy: bool) -> None:
    content = ipc_file(table, compression=codec, use_legacy_format=legacy)
    assert [packed_batch(content, number) for number in range(4)] == ["it is compressed"] * 4


def test_one_compressed_batch_among_plain_ones_is_found(table: pa.Table) -> None:
    """A compressed batch lies behind the plain ones, and the footer names its place for the third."""
    plain, packed = ipc_file(table), ipc_file(table, compression="zstd")
    end = len(plain) - 10 - struct.unpack_from("<i", plain, len(plain) - 10)[0]
    batches, footer, gap = plain[:end], plain[end:], b"\x00" * (-end % 8)
    body = packed[_blocks(packed)[2] : _blocks(packed)[3]]
    moved = footer.replace(struct.pack("<q", _blocks(plain)[2]), struct.pack("<q", len(batches) + len(gap)))
    content = batches + gap + body + moved
    assert [packed_batch(content, number) for number in range(4)] == [None, None, "it is compressed", None]


def _blocks(content: bytes) -> list[int]:
    """Where the batches of a file begin, and where the last one ends, as Arrow reads its messages one by one."""
    source = pa.BufferReader(content)
    source.seek(8)
    places = []
    while True:
        place = source.tell()
        try:
            message = pa.ipc.read_message(source)
        except (EOFError, pa.ArrowInvalid):
            return [*places, place]
        if message.type == "record batch":
            places.append(place)


def test_dictionaries_are_named(table: pa.Table) -> None:
    encoded = table.set_column(1, "text", table["text"].dictionary_encode())
    assert packed_batch(ipc_file(encoded), 0) == "it brings dictionaries"


def test_no_mutation_of_the_description_ends_in_an_exception(table: pa.Table) -> None:
    content = ipc_file(table)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        spoiled = bytearray(content)
        for place in rng.integers(len(content) - 700, len(content), 3):
            spoiled[place] = rng.integers(256)
        words = {None, "it brings dictionaries", "it cannot be located", "it is not there", "it is compressed"}
        assert packed_batch(bytes(spoiled), int(rng.integers(4))) in words


def test_a_bomb_costs_no_memory(tmp_path: Path) -> None:
    """Captions of 256 MiB in a file of some kilobytes: refused before Arrow asks for memory."""
    schema = rows_schema(4)
    values = {
        field.name: pa.nulls(1, field.type) if field.nullable else pa.array([0]).cast(field.type)
        for field in schema
        if field.name in {"start_sec", "end_sec", "fps", "width", "height", "source_size_bytes", "source_mtime_ns"}
    }
    values |= {"id": pa.array(["a"]), "source": pa.array(["s"]), "caption": pa.array(["\x00" * (1 << 28)])}
    values |= {"thumbnail": pa.array([b""]), "text_embedding": pa.nulls(1, schema.field("text_embedding").type)}
    values["frame_embedding"] = pa.array([[0.0] * 4], schema.field("frame_embedding").type)
    bomb = ipc_file(pa.table([values[name] for name in schema.names], schema=schema), compression="zstd")
    assert len(bomb) < 1 << 16
    (tmp_path / "rows.arrow").write_bytes(bomb)
    before = pa.total_allocated_bytes()
    with pytest.raises(DatabaseDamaged, match="it is compressed"):
        RowsFile(tmp_path / "rows.arrow", embedding_dim=4, row_count=1).column("id")
    with pytest.raises(DatabaseDamaged, match="it is compressed"):
        RowsFile(tmp_path / "rows.arrow", embedding_dim=4, row_count=1).ids()
    assert pa.total_allocated_bytes() - before < 1 << 20

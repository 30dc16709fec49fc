"""200 mutated caption tables of every dialect: each ends in rows or in one clear sentence."""

import io
import json
import random
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from index_builder.captions.table import read_table
from index_builder.errors import CaptionTableInvalid
from tests.mutations import as_json, limited, mutated_bytes

ROWS = [{"path": f"clip_{number}.mp4", "caption": f"a ball, {number}", "start_sec": number, "end_sec": number + 2.0}
        for number in range(5)]  # fmt: skip


def csv_table(separator: str) -> bytes:
    lines = ["path,caption,start_sec,end_sec".replace(",", separator)]
    lines += [separator.join([row["path"], f'"{row["caption"]}"', "0", "2"]) for row in ROWS]
    return "\n".join(lines).encode()


def parquet_table() -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(ROWS), stream)
    return stream.getvalue()


def tar_table() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for row in ROWS:
            member = tarfile.TarInfo(Path(row["path"]).stem + ".txt")
            member.size = len(row["caption"])
            archive.addfile(member, io.BytesIO(row["caption"].encode()))
    return stream.getvalue()


TABLES = {
    ".csv": csv_table(","),
    ".tsv": csv_table("\t"),
    ".jsonl": b"\n".join(json.dumps(row).encode() for row in ROWS),
    ".parquet": parquet_table(),
    ".tar": tar_table(),
}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".tar"])
def test_mutated_tables_end_in_rows_or_a_sentence(tmp_path: Path, suffix: str) -> None:
    generator, refused = random.Random(suffix), 0
    for _ in range(40):
        content = as_json(ROWS, generator) if suffix == ".json" else mutated_bytes(TABLES[suffix], generator)
        path = tmp_path / f"table{suffix}"
        path.write_bytes(content)
        try:
            with limited():
                table = read_table(path)
            assert all(isinstance(row.caption, str) for row in table.rows)
        except CaptionTableInvalid as error:
            refused += 1
            assert ("Expected" in str(error) and str(error).isprintable()) or "\n" in str(error)
    assert refused < 40

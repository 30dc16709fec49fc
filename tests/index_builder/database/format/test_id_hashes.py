"""Ids in brief: rows are found by id, and hashes of other rows, or damaged ones, are passed over."""

import hashlib
from pathlib import Path

import pytest

from index_builder.database.format.id_hashes import HASH_BYTES, ID_HASHES_FILE, IdHashes, encode_id_hashes

IDS = [f"{number:032x}@0-2000" for number in range(1000)]
SHA = "ab" * 32


def written(folder: Path) -> Path:
    (folder / ID_HASHES_FILE).write_bytes(encode_id_hashes(IDS, rows_sha256=SHA))
    return folder / "rows.arrow"


def test_rows_are_found_in_their_order(tmp_path: Path) -> None:
    hashes = IdHashes.read(written(tmp_path), rows_sha256=SHA, row_count=len(IDS))
    assert list(hashes.find([IDS[700], "of nobody", IDS[3], IDS[999]])) == [(3, 2), (700, 0), (999, 3)]
    assert list(hashes.find([])) == [] and list(hashes.find(["of nobody", "\udcff"])) == []
    twice = encode_id_hashes([IDS[0], IDS[1], IDS[0]], rows_sha256=SHA)
    (tmp_path / ID_HASHES_FILE).write_bytes(twice)
    assert list(IdHashes.read(tmp_path / "rows.arrow", rows_sha256=SHA, row_count=3).find([IDS[0]])) == [(0, 0), (2, 0)]


def test_a_hash_that_agrees_by_half_is_another(tmp_path: Path) -> None:
    content = bytearray(encode_id_hashes(IDS[:1], rows_sha256=SHA))
    content[-HASH_BYTES // 2] ^= 1
    body = bytes(content[-HASH_BYTES:])
    (tmp_path / ID_HASHES_FILE).write_bytes(hashlib.sha256(SHA.encode() + body).digest() + body)
    assert list(IdHashes.read(tmp_path / "rows.arrow", rows_sha256=SHA, row_count=1).find(IDS)) == []


@pytest.mark.parametrize("harm", ["missing", "of other rows", "cut short", "damaged", "of fewer rows"])
def test_what_is_of_no_use_is_passed_over(tmp_path: Path, harm: str) -> None:
    path = written(tmp_path)
    file, sha, count = tmp_path / ID_HASHES_FILE, SHA, len(IDS)
    if harm == "missing":
        file.unlink()
    elif harm == "of other rows":
        sha = "cd" * 32
    elif harm == "cut short":
        file.write_bytes(file.read_bytes()[:-1])
    elif harm == "damaged":
        content = bytearray(file.read_bytes())
        content[5000] ^= 1
        file.write_bytes(content)
    else:
        count -= 1
    assert IdHashes.read(path, rows_sha256=sha, row_count=count) is None

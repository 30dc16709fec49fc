"""Opening: time and memory of a database of a million clips, until its first answers. Tokens are sparse files of the
published pack's size (25 x 1024), rows and vectors are real; there is no index, so the first search is exact.

python -m benchmarks.open_database [--short] [--rows N] [--json FILE]
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.measure import Result, in_own_process, own_and_mapped_bytes, publish
from benchmarks.synthetic import FINGERPRINT, Vectors, clip_rows, row_id, template
from index_builder.database.format.id_hashes import ID_HASHES_FILE, encode_id_hashes
from index_builder.database.format.manifest import Manifest, Segment, StoredFile, TokensFile, manifest_path
from index_builder.database.format.rows import encode_rows
from index_builder.database.format.tokens import KINDS, tokens_file_name
from index_builder.database.search.reader import MotionDatabase

SHAPE = (25, 1024)
K = 9


def write_sparse(path: Path, count: int, *, dim: int = 512) -> Manifest:
    """A database whose tokens are holes in files: sizes are true, contents zeros, and their hashes are not those."""
    vectors, segments, start = Vectors(dim=dim), [], 0
    for block in vectors.blocks(count):
        name = uuid.uuid4().hex
        folder = path / "segments" / name
        folder.mkdir(parents=True)
        rows = clip_rows(start, len(block))
        content = memoryview(encode_rows(rows, text=block, frame=block))
        (folder / "rows.arrow").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        hashes = encode_id_hashes([row.id for row in rows], rows_sha256=digest)
        (folder / ID_HASHES_FILE).write_bytes(hashes)
        rows_file = StoredFile(path=f"segments/{name}/rows.arrow", sha256=digest, size_bytes=content.nbytes)
        file_name = tokens_file_name(FINGERPRINT)
        size = _write_hole(folder / file_name, len(block))
        tokens = TokensFile(
            path=f"segments/{name}/{file_name}", sha256="0" * 64, size_bytes=size, fingerprint=FINGERPRINT
        )
        segments.append(Segment(name=name, row_count=len(block), rows=rows_file, tokens=(tokens,), sampling={}))
        start += len(block)
    manifest = replace(template(dim, SHAPE), generation=1, segments=tuple(segments))
    manifest_path(path, 1).write_bytes(manifest.to_bytes())
    return manifest


def _write_hole(path: Path, rows: int) -> int:
    bytes_each = 2 * rows * SHAPE[0] * SHAPE[1]
    entries = {
        kind: {
            "dtype": "F16",
            "shape": [rows, *SHAPE],
            "data_offsets": [place * bytes_each, (place + 1) * bytes_each],
        }
        for place, kind in enumerate(KINDS)
    }
    header = json.dumps({"__metadata__": {"fingerprint": FINGERPRINT}, **entries}).encode()
    size = 8 + len(header) + 2 * bytes_each
    with path.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        os.truncate(stream.fileno(), size)
    return size


def steps(path: str, rows: int, dim: int) -> list[dict]:
    """In a process of its own: seconds and memory after each step of a reader's life."""
    query = Vectors(dim=dim).queries(1)[0]
    ids = [row_id(number * rows // K) for number in range(K)]
    database: MotionDatabase | None = None
    lines, before = [], own_and_mapped_bytes()

    def step(name: str, act) -> None:
        started = time.perf_counter()
        act()
        seconds = time.perf_counter() - started
        own, mapped = ((now - then) / 2**20 for now, then in zip(own_and_mapped_bytes(), before, strict=True))
        lines.append({"step": name, "seconds": seconds, "own_MiB_so_far": own, "mapped_MiB_so_far": mapped})

    def open_it() -> None:
        nonlocal database
        database = MotionDatabase.open(path)

    step("open", open_it)
    step("first tokens of 9 rows by id", lambda: database.tokens(ids, fingerprint=FINGERPRINT))
    step("the same again", lambda: database.tokens(ids, fingerprint=FINGERPRINT))
    step("first exact search (reads every vector)", lambda: database.search(query, field="frame", k=K))
    step("the same again", lambda: database.search(query, field="frame", k=K))
    return lines


def main(
    short: Annotated[bool, typer.Option("--short", help="20,000 rows.")] = False,
    rows: Annotated[int, typer.Option("--rows", help="How many clips.")] = 1_000_000,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Measure and publish."""
    rows = 20_000 if short else rows
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "db"
        manifest = write_sparse(path, rows)
        lines = in_own_process(steps, str(path), rows, 512)
    gib = sum(file.size_bytes for file in manifest.files) / 2**30
    conditions = {"rows": rows, "segments": len(manifest.segments), "apparent GiB": round(gib, 1), "dim": 512}
    publish(Result(title="Opening a database", conditions=conditions, lines=lines), json_path)


if __name__ == "__main__":
    typer.run(main)

"""Known rows: what is committed is known by id, and by file under the same sampling only."""

from pathlib import Path

from index_builder.database.format.manifest import newest_manifest
from index_builder.database.maintain.known_rows import KnownRows
from tests.index_builder.sample_rows import SAMPLING, clip_row, row_id, write_database


def test_knows_ids_and_unchanged_files(tmp_path: Path) -> None:
    database = write_database(tmp_path / "db")
    manifest, _ = newest_manifest(database)
    same, other = (
        KnownRows(database, sampling=SAMPLING),
        KnownRows(database, sampling={**SAMPLING, "clips_per_video": 3}),
    )
    for known in (same, other):
        known.absorb(manifest)
        known.absorb(manifest)
        assert known.present([row_id(1), row_id(9)]) == {row_id(1)}
        assert known.source_of(row_id(1)) == "/videos/v0.mp4" and known.source_of(row_id(9)) is None
    row = clip_row(2)
    assert same.row_of(row.source, row.source_size_bytes, row.source_mtime_ns) in (row_id(2), row_id(3))
    assert same.row_of(row.source, row.source_size_bytes, row.source_mtime_ns + 1) is None
    assert other.row_of(row.source, row.source_size_bytes, row.source_mtime_ns) is None

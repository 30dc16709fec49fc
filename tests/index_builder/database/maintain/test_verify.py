"""Verifying: a sound database is sound, and one flipped byte anywhere is found and named."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.database.format.manifest import list_generations, manifest_path, read_manifest
from index_builder.database.format.tokens import StoredTokens
from index_builder.database.maintain.verify import verify_database
from index_builder.errors import DatabaseNotFound
from tests.index_builder.sample_rows import batch, open_writer, write_database


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_database(tmp_path / "db")


def files_of(database: Path) -> list[Path]:
    return sorted(path for path in database.rglob("*") if path.is_file())


def test_a_sound_database_is_sound(database: Path) -> None:
    heard: list[str] = []
    report = verify_database(database, on_file=heard.append)
    assert report.sound and report.problems == () and report.notes == ()
    assert (report.rows, report.generation) == (6, 4)
    assert report.files_checked == len(files_of(database)) and len(heard) == 8
    assert report.as_dict()["sound"] is True


def test_a_flipped_byte_in_any_file_is_found_and_named(database: Path) -> None:
    generator = np.random.default_rng(0)
    for path in files_of(database):
        content = path.read_bytes()
        for place in {0, len(content) - 1, *generator.integers(0, len(content), 6).tolist()}:
            spoiled = bytearray(content)
            spoiled[place] ^= 1 << int(generator.integers(0, 8))
            path.write_bytes(spoiled)
            report = verify_database(database)
            assert not report.sound and any(path.name in problem for problem in report.problems), (path, place)
        path.write_bytes(content)
    assert verify_database(database).sound


def test_every_problem_is_reported_not_only_the_first(database: Path) -> None:
    rows, tokens = (
        sorted((database / "segments").glob("*/rows.arrow"))[:2],
        next((database / "segments").glob("*/tokens*")),
    )
    rows[0].unlink()
    rows[1].write_bytes(b"short")
    tokens.write_bytes(b"shorter")
    manifest_path(database, 1).write_bytes(b"{")
    problems = verify_database(database).problems
    assert len(problems) == 4
    assert sum("found none" in problem for problem in problems) == 1


def test_what_hashes_cannot_tell_is_checked_too(tmp_path: Path) -> None:
    database = tmp_path / "db"
    with open_writer(database) as writer:
        good = batch([0, 1])
        writer.commit_rows(replace(good, frame=good.frame * 3, text=good.text * 3))
        infinite = StoredTokens(np.full((1, 2, 3), np.inf, np.float16), np.zeros((1, 2, 3), np.float16))
        writer.commit_rows(replace(batch([2]), tokens=infinite))
    problems = verify_database(database).problems
    assert any("length 1" in problem for problem in problems) and any("inf or nan" in problem for problem in problems)


def test_a_row_stored_twice_is_a_problem(database: Path) -> None:
    newest = list_generations(database)[0]
    manifest = read_manifest(database, newest)
    first = manifest.segments[0]
    shutil.copytree(database / "segments" / first.name, database / "segments" / "copy")

    def moved(file):
        return replace(file, path=file.path.replace(first.name, "copy"))

    again = replace(first, name="copy", rows=moved(first.rows), tokens=tuple(map(moved, first.tokens)))
    changed = replace(manifest, generation=newest + 1, segments=(*manifest.segments, again))
    manifest_path(database, newest + 1).write_bytes(changed.to_bytes())
    assert any("3 ids are stored twice" in problem for problem in verify_database(database).problems)


def test_unlisted_files_are_notes_not_problems(database: Path) -> None:
    (database / "segments" / ".tmp-dead-x").mkdir()
    (database / "segments" / ".tmp-dead-x" / "rows.arrow").write_bytes(b"x")
    (database / "indexes" / "mine.txt").write_bytes(b"x")
    report = verify_database(database)
    assert report.sound and len(report.notes) == 2
    assert any("unfinished" in note for note in report.notes)


def test_a_symlink_in_place_of_a_file_is_a_problem(database: Path, tmp_path: Path) -> None:
    path = next((database / "segments").glob("*/rows.arrow"))
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert any("symlink" in problem for problem in verify_database(database).problems)


def test_no_database_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotFound, match="found no manifest"):
        verify_database(tmp_path)

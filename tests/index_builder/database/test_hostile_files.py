"""A database folder that a stranger made: links and pipes in the places where builders and readers look."""

import json
import os
import shutil
from pathlib import Path

import pytest

from index_builder.database.commit.presence import sweep
from index_builder.database.format.manifest import newest_manifest
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseDamaged, DatabaseNotWritable
from tests.index_builder.sample_rows import open_writer, write_database
from tests.mutations import not_for_ever

UNLISTED = "f" * 32


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("hostile") / "db")


@pytest.fixture
def database(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "db")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of the user's own, with names that a builder would clean away."""
    (tmp_path / "mine" / UNLISTED).mkdir(parents=True)
    (tmp_path / "mine" / UNLISTED / "work").write_text("hours of it")
    for name in ("a.lock", "letter.json", f"{UNLISTED[:-1]}0.faiss", ".tmp-0-x"):
        (tmp_path / "mine" / name).write_text("untouched")
    return tmp_path / "mine"


def contents(folder: Path) -> list[tuple[str, str]]:
    return [(str(path), path.read_text()) for path in sorted(folder.rglob("*")) if path.is_file()]


@pytest.mark.parametrize("name", [".builders", "segments", "indexes"])
def test_a_folder_that_is_a_link_is_not_cleaned(database: Path, mine: Path, name: str) -> None:
    before = contents(mine)
    shutil.rmtree(database / name, ignore_errors=True)
    (database / name).symlink_to(mine)
    with pytest.raises(DatabaseNotWritable, match="found a link, and what lies elsewhere is not changed"):
        open_writer(database).__enter__()
    assert contents(mine) == before


def test_claims_and_locks_and_leftovers_that_are_links(database: Path, mine: Path) -> None:
    """What they lead to is neither moved nor removed."""
    before, folder = contents(mine), database / ".builders"
    folder.mkdir(exist_ok=True)
    for generation in (1, 2, 999_999):
        (folder / f"claim-{generation:06d}").symlink_to(mine)
    (folder / "x.lock").symlink_to(mine / "a.lock")
    for place in ("segments", "indexes"):
        (database / place).mkdir(exist_ok=True)
        (database / place / UNLISTED).symlink_to(mine / UNLISTED)
        (database / place / ".tmp-0-x").symlink_to(mine)
    generation = newest_manifest(database)[0].generation
    sweep(database)
    with open_writer(database):
        pass
    assert contents(mine) == before
    assert newest_manifest(database)[0].generation == generation


def test_pipes_are_not_waited_for(database: Path) -> None:
    (database / ".builders").mkdir(exist_ok=True)
    os.mkfifo(database / ".builders" / "x.lock")
    os.mkfifo(database / "manifest-000900.json")
    for hashes in database.glob("segments/*/ids.hashes"):
        hashes.unlink()
        os.mkfifo(hashes)
    with not_for_ever(60):
        opened = MotionDatabase.open(database)
        assert opened.rows(opened.ids()[:1])
        sweep(database)


@pytest.mark.parametrize("pattern", ["segments/*/rows.arrow", "segments/*/tokens*", "indexes/*"])
def test_a_pipe_of_the_right_size_is_no_file(database: Path, pattern: str) -> None:
    """A manifest may say that a file has no bytes, as a pipe has none."""
    from index_builder.database.format import manifest as module

    sealed, path = newest_manifest(database)[0], next(database.glob("manifest-*.json"))
    values = json.loads(path.read_text())
    values.pop("~sha256")
    names = {str(p.relative_to(database)) for p in database.glob(pattern)}
    if not names:
        pytest.skip("no such file in a small database")

    def empty(value: object) -> None:
        for entry in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            empty(entry)
        if isinstance(value, dict) and value.get("path") in names:
            value["size_bytes"] = 0

    empty(values)
    path.write_bytes(module._sealed(values))
    for name in names:
        (database / name).unlink()
        os.mkfifo(database / name)
    with not_for_ever(60):
        try:
            opened = MotionDatabase.open(database)
            opened.tokens(opened.ids()[:1], fingerprint=sealed.tokens[0].fingerprint)
        except DatabaseDamaged as error:
            assert str(error)
        try:
            assert not verify_database(database).sound
        except DatabaseDamaged as error:
            assert str(error)

"""Claims: a number is given once, whatever stops or sleeps in between, on file systems without links or locks too."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from index_builder.database.commit import claims, durable_files
from index_builder.database.commit.presence import try_lock
from index_builder.database.format.manifest import list_generations, manifest_path
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseNotWritable
from tests.index_builder.sample_rows import batch, open_writer, row_id, write_database

ROOT = Path(__file__).resolve().parents[4]
ROUNDS = 50


def claim(database: Path, generation: int, content: bytes) -> Path:
    """A claim whose maker went on no further."""
    folder = database / ".builders" / f"claim-{generation:06d}"
    folder.mkdir(parents=True)
    (folder / "0123.json").write_bytes(content)
    return folder


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_commit_that_was_claimed_is_finished_by_the_next_builder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = write_database(tmp_path / "db", segments=[(0,)])
    newest = list_generations(database)[0]
    killed = open_writer(database)
    monkeypatch.setattr(claims, "_settle_one", stop)
    with pytest.raises(KeyboardInterrupt):
        killed.commit_rows(batch([1]))
    monkeypatch.undo()
    killed.presence._stream.close()  # the system drops a dead builder's lock; its files stay
    assert list_generations(database)[0] == newest
    with open_writer(database) as writer:
        writer.commit_rows(batch([2]))
    assert MotionDatabase.open(database).ids() == [row_id(0), row_id(1), row_id(2)]
    assert list_generations(database)[0] == newest + 2
    assert verify_database(database).sound and not list((database / ".builders").iterdir())


def test_a_claim_that_came_too_late_changes_nothing(tmp_path: Path) -> None:
    database = write_database(tmp_path / "db", segments=[(0,), (1,)])
    newest = list_generations(database)[0]
    before = {number: manifest_path(database, number).read_bytes() for number in list_generations(database)}
    late = claim(database, newest - 1, b"void"), claim(database, newest, b"void too")
    claims.settle(database)
    assert not any(folder.exists() for folder in late)
    assert {number: manifest_path(database, number).read_bytes() for number in list_generations(database)} == before


def test_who_sleeps_before_moving_a_manifest_moves_no_other_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saw a claim that counted; when it wakes up the number is taken and a void claim lies in the same place."""
    database = write_database(tmp_path / "db", segments=[(0,)])
    newest = list_generations(database)[0]
    content = manifest_path(database, newest).read_bytes()
    folder = claim(database, newest, b"void")
    monkeypatch.setattr(claims, "list_generations", lambda _: [newest - 1])
    claims._settle_one(database, newest, ["4567.json"])
    assert manifest_path(database, newest).read_bytes() == content and folder.is_dir()


def test_a_folder_system_that_reports_failure_for_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a network file system may that has lost the answer to a rename."""
    rename = durable_files.rename

    def done_but_reported_as_failed(source: Path, target: Path) -> None:
        rename(source, target)
        if target.name.startswith("claim-"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    with open_writer(tmp_path / "db") as writer:
        monkeypatch.setattr(durable_files, "rename", done_but_reported_as_failed)
        assert writer.commit_rows(batch([0])) == set()
        assert writer.commit_rows(batch([1])) == set()
        monkeypatch.undo()
    assert MotionDatabase.open(tmp_path / "db").ids() == [row_id(0), row_id(1)]
    assert verify_database(tmp_path / "db").notes == ()


def test_a_refused_claim_is_an_error_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = durable_files.rename

    def refuse(source: Path, target: Path) -> None:
        if target.name.startswith("claim-"):
            raise PermissionError(errno.EACCES, "Permission denied")
        rename(source, target)

    database = write_database(tmp_path / "db", segments=[(0,)])
    with open_writer(database) as writer:
        monkeypatch.setattr(durable_files, "rename", refuse)
        with pytest.raises(PermissionError, match="denied"):
            writer.commit_rows(batch([1]))
        monkeypatch.undo()
    assert MotionDatabase.open(database).ids() == [row_id(0)]


def test_numbers_end(tmp_path: Path) -> None:
    database = write_database(tmp_path / "db", segments=[(0,)])
    newest = list_generations(database)[0]
    shutil.copy(manifest_path(database, newest), manifest_path(database, claims.LAST_GENERATION))
    with open_writer(database) as writer, pytest.raises(DatabaseNotWritable, match="Expected a generation below"):
        writer.commit_rows(batch([1]))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO])
def test_a_file_system_without_locks_is_named_and_left_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(DatabaseNotWritable, match=rf"file system with locks .*{os.strerror(code)}"):
        open_writer(tmp_path / "db")
    assert not list((tmp_path / "db" / ".builders").iterdir())


def test_a_lock_that_another_holds_is_taken_and_no_error(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_bytes(b"")
    with path.open("rb+") as first, path.open("rb+") as second:
        assert try_lock(first) and not try_lock(second)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands between a program and its file system: slow, short writes, and refusals."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler, or no Linux: the library that slows a file system down cannot be made")
    target = tmp_path_factory.mktemp("library") / "slow_storage.so"
    source = ROOT / "tests/index_builder/slow_storage.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", target, source, "-ldl"], check=True)
    return target


def run_rounds(library: Path, folder: Path, *arguments: str, **settings: str) -> list[dict]:
    command = [sys.executable, "-m", "tests.index_builder.slow_storage", str(folder), *arguments]
    environment = {**os.environ, "LD_PRELOAD": str(library), **settings}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("killed", ["none", "one"])
def test_three_builders_on_slow_storage_without_links_lose_nothing(library: Path, tmp_path: Path, killed: str) -> None:
    """Every commit that was acknowledged is there, though one of three is killed at any moment."""
    results = run_rounds(library, tmp_path, str(ROUNDS), killed, SLOW_STORAGE_MICROSECONDS="1500")
    assert len(results) == ROUNDS and sum(result["acknowledged"] for result in results) > 12 * ROUNDS
    for result in results:
        assert (result["lost"], result["problems"], result["left_behind"]) == ([], [], []), result
        assert result["errors"] == []


def test_without_locks_the_builders_say_so(library: Path, tmp_path: Path) -> None:
    (result,) = run_rounds(library, tmp_path, "1", "none", SLOW_STORAGE_FLOCK_ERROR=str(errno.ENOLCK))
    assert result["acknowledged"] == 0 and len(result["errors"]) == 3
    assert all("Expected a file system with locks" in error for error in result["errors"])

"""Presence: leftovers of dead builders go, the work of live ones stays, old manifests are pruned."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from index_builder.database.commit import durable_files
from index_builder.database.commit.presence import KEPT_MANIFESTS, BuilderPresence, sweep
from index_builder.database.format.manifest import list_generations
from index_builder.database.search.reader import MotionDatabase
from tests.index_builder.sample_rows import open_writer, row_id, write_database

ROOT = Path(__file__).resolve().parents[4]
UNLISTED = "abc123" + 26 * "0"
SLEEPER = """
import sys, time
from pathlib import Path
from index_builder.database.commit.presence import BuilderPresence
database = Path(sys.argv[1])
presence = BuilderPresence(database)
(database / "segments" / presence.temporary("abc")).mkdir()
presence.announce("abc123" + 26 * "0")
(database / "segments" / ("abc123" + 26 * "0")).mkdir()
sys.stdout.write(presence.builder + "\\n")
sys.stdout.flush()
time.sleep(60)
"""


def test_a_live_builders_work_stays_and_a_dead_ones_goes(tmp_path: Path) -> None:
    database = write_database(tmp_path / "db")
    other = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(database)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    builder = other.stdout.readline().strip()
    temporary, renamed = database / "segments" / f".tmp-{builder}-abc", database / "segments" / UNLISTED
    sweep(database)
    assert temporary.is_dir() and renamed.is_dir()
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    sweep(database)
    assert not temporary.exists() and not renamed.exists()
    assert list((database / ".builders").iterdir()) == []
    assert len(MotionDatabase.open(database)) == 6


def test_temporaries_without_a_lock_go(tmp_path: Path) -> None:
    database = write_database(tmp_path / "db")
    (database / ".tmp-deadbeef-manifest").write_bytes(b"x")
    (database / "indexes" / ".tmp-deadbeef-a.faiss").write_bytes(b"x")
    (database / "segments" / ".tmp-deadbeef-a").mkdir()
    sweep(database)
    assert not list(database.rglob(".tmp-*"))


def test_what_a_manifest_lists_is_never_swept(tmp_path: Path) -> None:
    database = write_database(tmp_path / "db")
    names = [segment.name for segment in MotionDatabase.open(database).manifest.segments]
    (database / ".builders" / "deadbeef.lock").write_text("\n".join([*names, "../../etc", "gone"]))
    sweep(database)
    assert len(MotionDatabase.open(database)) == 6


def test_while_a_manifest_is_damaged_no_segment_is_swept(tmp_path: Path) -> None:
    """It may be the one that lists the segment."""
    database = write_database(tmp_path / "db")
    (database / "manifest-000009.json").write_bytes(b"torn")
    (database / "segments" / UNLISTED).mkdir()
    (database / ".builders" / "deadbeef.lock").write_text(UNLISTED + "\n")
    sweep(database)
    assert (database / "segments" / UNLISTED).is_dir()


def test_old_manifests_and_their_indexes_are_pruned(tmp_path: Path) -> None:
    database = write_database(tmp_path / "db", segments=[(0,)])
    first = [file.path for file in MotionDatabase.open(database).manifest.indexes]
    for number in range(1, KEPT_MANIFESTS + 5):
        write_database(database, segments=[(number,)])
    with open_writer(database) as writer:
        announced = f"{UNLISTED}.faiss"
        writer.presence.announce(announced)
        for name in (announced, "notes.txt", f"{UNLISTED[:-1]}1.faiss"):
            (database / "indexes" / name).write_bytes(b"x")
        sweep(database)
        assert len(list_generations(database)) == KEPT_MANIFESTS
        assert not [path for path in first if (database / path).exists()]
        left = {path.name for path in (database / "indexes").iterdir()}
        assert {announced, "notes.txt"} < left and f"{UNLISTED[:-1]}1.faiss" not in left
    assert row_id(0) in MotionDatabase.open(database).ids()


def test_two_builders_have_two_names(tmp_path: Path) -> None:
    first, second = BuilderPresence(tmp_path), BuilderPresence(tmp_path)
    assert first.temporary("x") != second.temporary("x")
    first.release()
    second.release()
    assert list((tmp_path / ".builders").iterdir()) == []


def test_a_lock_that_a_sweep_took_before_it_was_held_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, write_new = [], durable_files.write_new

    def write_and_lose_the_first(path: Path, content: bytes) -> None:
        write_new(path, content)
        made.append(path)
        if len(made) == 1:
            sweep(tmp_path)  # as another builder does

    monkeypatch.setattr(durable_files, "write_new", write_and_lose_the_first)
    presence = BuilderPresence(tmp_path)
    assert len(made) == 2 and not made[0].exists() and made[1].exists()
    presence.release()

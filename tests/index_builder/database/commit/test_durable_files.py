"""Durability: a builder killed at any file system call loses nothing once it is resumed, and leaves nothing behind."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from index_builder.database.commit import durable_files
from tests.index_builder.kill_jobs import JOBS
from tests.index_builder.kill_points import CALLS, calls_of

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def work_folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: a killed process loses nothing that it wrote, so no disk is needed."""
    if not Path("/dev/shm").is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="motionrag-") as folder:
        yield Path(folder)


def disturb(job: str, kind: str, work: Path, *, step: int, videos: Path | None = None) -> list[dict]:
    arguments = [job, kind, str(work), str(step), *([str(videos)] if videos else [])]
    command = [sys.executable, "-m", "tests.index_builder.kill_points", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert results
    return results


def assert_nothing_lost(results: list[dict], *ends: str) -> None:
    sound = {"problems_after": [], "resumed": True, "problems": [], "leftovers": [], "same_rows": True}
    for result in results:
        assert {name: result[name] for name in sound} == sound, result["point"]
        assert result["ended"] in ends, result["point"]


@pytest.mark.parametrize(
    ("job", "calls"),
    [
        ("new", 40),
        ("add", 40),
        ("remove", 8),
        ("restore", 8),
        ("merge", 50),
        ("compact", 40),
        ("rebuild-index", 15),
        ("export", 4),
        ("caption", 15),
    ],
)
def test_killed_at_every_call(work_folder: Path, job: str, calls: int) -> None:
    results = disturb(job, "kill", work_folder, step=1)
    assert len(results) > calls
    assert_nothing_lost(results, "killed")


def test_every_call_that_writes_is_among_those_killed(work_folder: Path) -> None:
    seen = set()
    for job in ("new", "compact", "caption", "export"):
        work = work_folder / job
        work.mkdir()
        seen |= {line.split()[0] for line in calls_of(JOBS[job], work)}
    assert seen == set(CALLS)


def test_killed_during_a_whole_build(work_folder: Path, video_folder: Path) -> None:
    results = disturb("videos", "kill", work_folder, step=7, videos=video_folder)
    assert len(results) >= 8
    assert_nothing_lost(results, "killed")


@pytest.mark.parametrize("job", ["new", "add", "remove", "merge", "compact", "rebuild-index"])
def test_a_full_disk_is_a_named_error_and_loses_nothing(work_folder: Path, job: str) -> None:
    """A refused write may also come to nothing that matters: an announcement in vain, a commit done already."""
    results = disturb(job, "full", work_folder, step=2)
    assert any(result["ended"] == "refused" for result in results)
    assert_nothing_lost(results, "refused", "done")


@pytest.mark.parametrize(
    ("job", "other"),
    [
        ("add", "add-other"),
        ("add", "compact"),
        ("add", "compact+kill"),
        ("compact", "add-other"),
        ("compact", "add-other+kill"),
        ("compact", "compact"),
        ("compact", "remove-other"),
        ("compact", "restore"),
        ("merge", "compact"),
        ("rebuild-index", "compact"),
        ("remove", "compact"),
        ("remove", "add-other+kill"),
        ("restore", "compact"),
    ],
)
def test_two_builders_at_any_point_of_each_other(work_folder: Path, job: str, other: str) -> None:
    results = disturb(job, other, work_folder, step=3)
    assert_nothing_lost(results, "killed" if other.endswith("+kill") else "done")


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_second_name_is_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("this file system knows no hard links")

    if not hard_links:
        monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "a").write_bytes(b"1")
    durable_files.link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"1"
    with pytest.raises(FileExistsError):
        durable_files.link(tmp_path / "a", tmp_path / "b")


def test_removing_what_is_gone_is_no_error(tmp_path: Path) -> None:
    durable_files.remove(tmp_path / "gone")
    durable_files.remove_tree(tmp_path / "gone")
    durable_files.remove_empty(tmp_path / "gone")


def test_a_folder_that_holds_something_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(b"x")
    durable_files.remove_empty(tmp_path / "kept")
    assert (tmp_path / "kept" / "file").is_file()
    (tmp_path / "kept" / "file").unlink()
    durable_files.remove_empty(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()

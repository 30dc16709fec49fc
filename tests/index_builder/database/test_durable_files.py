"""Durability: a builder killed at any file system call loses nothing once it is resumed, and leaves nothing behind."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from index_builder.database import durable_files

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def work_folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: a killed process loses nothing that it wrote, so no disk is needed."""
    if not Path("/dev/shm").is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="motionrag-") as folder:
        yield Path(folder)


def kill_everywhere(*arguments: str) -> list[dict]:
    command = [sys.executable, "-m", "tests.index_builder.kill_points", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_nothing_lost(results: list[dict]) -> None:
    for result in results:
        sound = {"killed": True, "problems_after_kill": [], "resumed": True, "same_rows": True, "problems": []}
        assert {**result, "point": "", "leftovers": []} == {**sound, "point": "", "leftovers": []}, result["point"]
        assert result["leftovers"] == [], result["point"]


def test_killed_at_every_call_of_a_commit(work_folder: Path) -> None:
    results = kill_everywhere("rows", str(work_folder), "1")
    names = {result["point"].split(": ")[1].split()[0] for result in results}
    # What only runs after something was left behind is not part of an undisturbed build.
    assert names == set(durable_files.CALLS) - {"remove_tree"}
    assert len(results) > 50
    assert_nothing_lost(results)


def test_killed_during_a_whole_build(work_folder: Path, video_folder: Path) -> None:
    results = kill_everywhere("videos", str(video_folder), str(work_folder), "7")
    assert len(results) >= 8
    assert_nothing_lost(results)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    first, second, final = tmp_path / "a", tmp_path / "b", tmp_path / "final"
    durable_files.write_new(first, b"1")
    durable_files.write_new(second, b"2")
    durable_files.link(first, final)
    with pytest.raises(FileExistsError):
        durable_files.link(second, final)
    with pytest.raises(FileExistsError):
        durable_files.write_new(final, b"3")
    assert final.read_bytes() == b"1"


def test_without_hard_links_a_name_is_still_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("this file system knows no hard links")

    monkeypatch.setattr(os, "link", no_links)
    test_a_name_is_given_once(tmp_path)


def test_removing_what_is_gone_is_no_error(tmp_path: Path) -> None:
    durable_files.remove(tmp_path / "gone")
    durable_files.remove_tree(tmp_path / "gone")

"""Decode workers: an answer for every task, and only the clip at hand lost when a worker hangs, crashes or bloats."""

import fcntl
import os
import signal
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest

from index_builder.clips.decode import decode_clip
from index_builder.clips.messages import Answer, Decoded, DecodeTask, Failed, Inspected, InspectTask, Task
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.workers import DecodePool
from index_builder.errors import InvalidSetting
from tests.index_builder.sample_videos import write_garbage, write_video


def decode_task(path: Path, *, decoders: tuple[str, ...] = ("decord", "pyav"), short_side: int = 48) -> DecodeTask:
    status = path.stat()
    return DecodeTask(
        path=str(path),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        start_sec=0.0,
        end_sec=2.0,
        frames=16,
        short_side=short_side,
        decoders=decoders,
    )


def inspect_task(path: Path) -> InspectTask:
    status = path.stat()
    return InspectTask(path=str(path), size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)


def all_answers(pool: DecodePool) -> dict[Task, Answer]:
    answers = {}
    while pool.outstanding:
        task, answer = pool.next_answer()
        answers[task] = answer
    return answers


def test_workers_answer_each_task_as_this_process_would(tmp_path: Path) -> None:
    videos = [write_video(tmp_path / f"{seed} é.mp4", seed=seed) for seed in range(3)]
    garbage = write_garbage(tmp_path / "garbage.mp4")
    with DecodePool(workers=2) as pool:
        for path in [*videos, garbage]:
            pool.submit(inspect_task(path))
            pool.submit(decode_task(path))
        answers = all_answers(pool)
    assert len(answers) == 8
    for video in videos:
        decoded, inspected = answers[decode_task(video)], answers[inspect_task(video)]
        assert isinstance(decoded, Decoded) and isinstance(inspected, Inspected)
        assert np.array_equal(decoded.clip.frames, decode_clip(video, short_side=48).frames)
        assert decoded.thumbnail[:2] == b"\xff\xd8" and inspected.duration_sec == 2.0
    assert isinstance(answers[decode_task(garbage)], Failed) and isinstance(answers[inspect_task(garbage)], Failed)


def _worker_of(pool: DecodePool) -> int:
    while not pool.process_ids:
        time.sleep(0.01)
    return pool.process_ids[0]


def test_a_hung_worker_is_killed_and_replaced(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4")
    with DecodePool(workers=1, limits=DecodeLimits(seconds_per_clip=1.5)) as pool:
        pool.submit(decode_task(video))
        assert isinstance(pool.next_answer()[1], Decoded)
        hung = _worker_of(pool)
        os.kill(hung, signal.SIGSTOP)
        pool.submit(decode_task(video, decoders=("pyav",)))
        _, answer = pool.next_answer()
        assert isinstance(answer, Failed) and "hung and was killed after 1.5 s" in answer.reason
        pool.submit(decode_task(video))
        assert isinstance(pool.next_answer()[1], Decoded)
        assert _worker_of(pool) != hung


def _wait_until_sent(pool: DecodePool, *, seconds: float = 20.0) -> None:
    """Until the stopped worker's pipe holds a task that it has not read."""
    pipe, unread, deadline = pool._watchers[0].process.stdin, bytearray(4), time.monotonic() + seconds
    while not int.from_bytes(unread, sys.byteorder):
        assert time.monotonic() < deadline, "the task never reached the worker"
        fcntl.ioctl(pipe, termios.FIONREAD, unread)
        time.sleep(0.01)


def test_where_decord_takes_its_worker_down_pyav_gets_a_try(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4")
    with DecodePool(workers=1) as pool:
        pool.submit(decode_task(video))
        pool.next_answer()
        process = _worker_of(pool)
        os.kill(process, signal.SIGSTOP)
        pool.submit(decode_task(video))
        # Killed sooner, the worker would be replaced before the task had ever reached it.
        _wait_until_sent(pool)
        os.kill(process, signal.SIGKILL)
        task, answer = pool.next_answer()
        assert isinstance(answer, Decoded) and answer.clip.decoder == "pyav"
        assert task == decode_task(video)


def test_memory_is_limited_and_the_run_goes_on(tmp_path: Path) -> None:
    large = write_video(tmp_path / "large.mp4", frames=3, size=(2048, 1536))
    small = write_video(tmp_path / "small.mp4")
    with DecodePool(workers=1, limits=DecodeLimits(memory_bytes=1 << 30)) as pool:
        pool.submit(decode_task(large, short_side=6000))
        pool.submit(decode_task(small))
        answers = all_answers(pool)
    assert isinstance(answers[decode_task(large, short_side=6000)], Failed)
    assert isinstance(answers[decode_task(small)], Decoded)


def test_a_file_that_changes_is_not_indexed_half_old_half_new(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4")
    task = decode_task(video)
    os.utime(video, ns=(0, 12345))
    with DecodePool(workers=1) as pool:
        pool.submit(task)
        _, answer = pool.next_answer()
    assert isinstance(answer, Failed) and "changed while it was being indexed" in answer.reason


def test_leaving_the_pool_ends_its_processes_at_once(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4")
    with DecodePool(workers=2) as pool:
        for _ in range(50):
            pool.submit(decode_task(video))
        pool.next_answer()
        processes = pool.process_ids
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_misuse_is_an_error() -> None:
    with pytest.raises(InvalidSetting, match="at least 1 worker"):
        DecodePool(workers=0)
    with DecodePool(workers=1) as pool, pytest.raises(InvalidSetting, match="outstanding task"):
        pool.next_answer()

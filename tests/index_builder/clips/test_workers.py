"""Decode workers: an answer for every clip, and only the clip at hand lost when a worker hangs, crashes or bloats."""

import fcntl
import hashlib
import os
import signal
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.clips.decode import DECODERS, decode_clip
from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Answer, Decoded, DecodeTask, Failed, Inspected, InspectTask
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import DecodeLimits, read_timeline
from index_builder.clips.windows import ClipWindow, PlannedClip
from index_builder.clips.workers import DecodePool
from index_builder.errors import InvalidSetting
from tests.index_builder.clips.pool_processes import process_ids
from tests.index_builder.sample_videos import write_garbage, write_video


def video_file(path: Path) -> VideoFile:
    status = path.stat()
    return VideoFile(path=path, root=path.parent, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)


def decode_task(
    path: Path,
    *,
    decoders: tuple[str, ...] = DECODERS,
    short_side: int = 48,
    windows: Sequence[tuple[int, int]] = ((0, 2000),),
    of: Path | None = None,
) -> DecodeTask:
    """`of`: another file that the clips are said to be of."""
    video = video_file(of or path)
    return DecodeTask(
        clips=tuple(PlannedClip(video=video, window=ClipWindow(*w), row_id=f"{path}@{w[0]}") for w in windows),
        timeline=read_timeline(path, limits=DecodeLimits()),
        reading=Reading(frames=16, short_side=short_side),
        decoders=decoders,
    )


def inspect_task(path: Path) -> InspectTask:
    return InspectTask(video=video_file(path))


def next_answer(pool: DecodePool) -> Answer:
    while (answer := pool.next_answer()) is None:
        pass
    return answer


def all_answers(pool: DecodePool) -> list[Answer]:
    answers = []
    while pool.outstanding:
        answers.append(next_answer(pool))
    return answers


def test_workers_answer_each_task_as_this_process_would(tmp_path: Path) -> None:
    videos = [write_video(tmp_path / f"{seed} é.mp4", seed=seed) for seed in range(3)]
    garbage = write_garbage(tmp_path / "garbage.mp4")
    with DecodePool(workers=2) as pool:
        for path in videos:
            pool.submit(inspect_task(path))
            pool.submit(decode_task(path))
        pool.submit(inspect_task(garbage))
        pool.submit(replace(decode_task(videos[0]), clips=decode_task(videos[0], of=garbage).clips))
        answers = all_answers(pool)
    assert len(answers) == 8
    for video in videos:
        (decoded,) = (a for a in answers if isinstance(a, Decoded) and a.planned.video.path == video)
        (inspected,) = (a for a in answers if isinstance(a, Inspected) and a.video.path == video)
        assert np.array_equal(decoded.clip.frames, decode_clip(video, short_side=48).frames)
        assert decoded.thumbnail[:2] == b"\xff\xd8" and inspected.timeline.duration_sec == 2.0
        assert inspected.content_sha256 == hashlib.sha256(video.read_bytes()).hexdigest()
    failed = [a for a in answers if isinstance(a, Failed)]
    assert [a.video.path for a in failed] == [garbage] * 2 and {a.planned is None for a in failed} == {True, False}


def test_clips_of_a_video_come_one_by_one_from_one_task(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", frames=90)
    windows = [(0, 1000), (2000, 3000), (5000, 6000)]
    with DecodePool(workers=1) as pool:
        pool.submit(decode_task(video, windows=windows))
        answers = all_answers(pool)
    assert [(a.planned.window.start_ms, a.planned.window.end_ms) for a in answers] == windows
    for answer in answers:
        alone = decode_clip(video, start_sec=answer.clip.start_sec, end_sec=answer.clip.end_sec, short_side=48)
        assert np.array_equal(answer.clip.frames, alone.frames)


def _worker_of(pool: DecodePool) -> int:
    while not process_ids(pool):
        time.sleep(0.01)
    return process_ids(pool)[0]


def test_a_hung_worker_is_killed_and_replaced(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4")
    with DecodePool(workers=1, limits=DecodeLimits(stalled_sec=8)) as pool:
        pool.submit(decode_task(video))
        assert isinstance(next_answer(pool), Decoded)
        hung = _worker_of(pool)
        os.kill(hung, signal.SIGSTOP)
        pool.submit(decode_task(video, decoders=("pyav",)))
        answer = next_answer(pool)
        assert isinstance(answer, Failed) and "hung: no headway for 8 s" in answer.reason
        pool.submit(decode_task(video))
        assert isinstance(next_answer(pool), Decoded)
        assert _worker_of(pool) != hung


def test_a_worker_that_advances_is_not_killed_however_long_it_takes(tmp_path: Path) -> None:
    """It is held up between its clips, each time for less than the limit, in all for longer."""
    video = write_video(tmp_path / "v.mp4", frames=300)
    with DecodePool(workers=1, limits=DecodeLimits(stalled_sec=8), answers=1) as pool:
        pool.submit(decode_task(video, windows=[(500 * i, 500 * i + 500) for i in range(36)]))
        answers = [next_answer(pool)]
        process = _worker_of(pool)
        for _ in range(5):
            os.kill(process, signal.SIGSTOP)
            time.sleep(2)
            os.kill(process, signal.SIGCONT)
            answers += [next_answer(pool) for _ in range(4)]
        answers += all_answers(pool)
        assert len(answers) == 36 and all(isinstance(answer, Decoded) for answer in answers)
        assert _worker_of(pool) == process


def _wait_until_sent(pool: DecodePool, *, seconds: float = 20.0) -> None:
    """Until the stopped worker's pipe holds a task that it has not read."""
    pipe, unread, deadline = pool._watchers[0].process.stdin, bytearray(4), time.monotonic() + seconds
    while not int.from_bytes(unread, sys.byteorder):
        assert time.monotonic() < deadline, "the task never reached the worker"
        fcntl.ioctl(pipe, termios.FIONREAD, unread)
        time.sleep(0.01)


def test_the_clip_over_which_a_worker_dies_gets_a_try_by_the_other_decoder(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", frames=90)
    windows = [(0, 1000), (2000, 3000), (5000, 6000)]
    with DecodePool(workers=1) as pool:
        pool.submit(decode_task(video))
        next_answer(pool)
        process = _worker_of(pool)
        os.kill(process, signal.SIGSTOP)
        pool.submit(decode_task(video, windows=windows))
        # Killed sooner, the worker would be replaced before the task had ever reached it.
        _wait_until_sent(pool)
        os.kill(process, signal.SIGKILL)
        answers = all_answers(pool)
    assert [answer.planned.window.start_ms for answer in answers] == [0, 2000, 5000]
    assert [answer.clip.decoder for answer in answers] == ["decord", "pyav", "pyav"]


def test_a_video_that_kills_worker_after_worker_is_given_up(tmp_path: Path) -> None:
    """Fewer bytes of memory than a worker of Python needs to start: each dies."""
    video = write_video(tmp_path / "v.mp4", frames=150)
    task = decode_task(video, windows=[(1000 * i, 1000 * i + 1000) for i in range(10)], decoders=("pyav",))
    with DecodePool(workers=1, limits=DecodeLimits(memory_bytes=1 << 20)) as pool:
        pool.submit(task)
        answers = all_answers(pool)
    assert [answer.planned for answer in answers] == list(task.clips)
    assert all(isinstance(answer, Failed) for answer in answers)


def test_memory_is_limited_and_the_run_goes_on(tmp_path: Path) -> None:
    large = write_video(tmp_path / "large.mp4", frames=3, size=(2048, 1536))
    small = write_video(tmp_path / "small.mp4")
    with DecodePool(workers=1, limits=DecodeLimits(memory_bytes=1 << 30)) as pool:
        pool.submit(decode_task(large, short_side=6000))
        pool.submit(decode_task(small))
        failed, decoded = all_answers(pool)
    assert isinstance(failed, Failed) and failed.video.path == large
    assert isinstance(decoded, Decoded) and decoded.planned.video.path == small


def test_a_file_that_changes_is_not_indexed_half_old_half_new(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4")
    task = decode_task(video)
    os.utime(video, ns=(0, 12345))
    with DecodePool(workers=1) as pool:
        pool.submit(task)
        answer = next_answer(pool)
    assert isinstance(answer, Failed) and "changed while it was being indexed" in answer.reason


def test_leaving_the_pool_ends_its_processes_at_once(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4")
    with DecodePool(workers=2) as pool:
        for _ in range(50):
            pool.submit(decode_task(video))
        next_answer(pool)
        processes = process_ids(pool)
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_misuse_is_an_error() -> None:
    with pytest.raises(InvalidSetting, match="at least 1 worker"):
        DecodePool(workers=0)
    with DecodePool(workers=1) as pool, pytest.raises(InvalidSetting, match="outstanding task"):
        pool.next_answer()

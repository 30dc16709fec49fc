"""The decode pool: worker processes that can be killed, one thread of the builder watching each of them.

Workers are started afresh (not forked, not through multiprocessing, which would run the user's main script again): a
hung or crashed worker is killed and replaced, and only the clip it was at is affected.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from index_builder.clips.messages import (
    Answer,
    BrokenAnswer,
    Decoded,
    DecodeTask,
    Failed,
    InspectTask,
    SoundTask,
    Task,
    receive_answer,
    send_task,
)
from index_builder.clips.timeline import DecodeLimits
from index_builder.errors import InvalidSetting
from index_builder.plain_text import plain_logger, shown

logger = plain_logger(__name__)
PACKAGE_ROOT = Path(__file__).resolve().parents[2]
# Short, so that Ctrl-C reaches the waiting thread on every platform.
WAITING_SEC = 0.5
MAX_DEATHS = 3

# An answer, and whether it is its task's last; None ends a watcher.
Tasks = queue.Queue[Task | None]
Answers = queue.Queue[tuple[Answer, bool]]


class DecodePool:
    """Runs tasks in `workers` processes; a context manager. Answers come in the order in which they are known, one for
    each video to inspect and for each clip to decode.

    Workers pause while `answers` (by default two for each worker) wait to be taken, so memory stays bounded however
    fast decoding is.
    """

    def __init__(self, *, workers: int, limits: DecodeLimits | None = None, answers: int | None = None) -> None:
        if workers < 1:
            raise InvalidSetting(f"Expected at least 1 worker, received {workers}: raise --workers.")
        self.limits = limits or DecodeLimits()
        self._tasks: Tasks = queue.Queue()
        self._answers: Answers = queue.Queue(maxsize=answers or 2 * workers)
        self._closing = threading.Event()
        self._watchers = [_Watcher(self._tasks, self._answers, self.limits, self._closing) for _ in range(workers)]
        self._outstanding = 0

    def __enter__(self) -> DecodePool:
        for watcher in self._watchers:
            watcher.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        for watcher in self._watchers:
            self._tasks.put(None)
            watcher.end_process()
        for watcher in self._watchers:
            while watcher.is_alive():
                watcher.end_process()
                _drain(self._answers)
                watcher.join(timeout=0.05)

    @property
    def outstanding(self) -> int:
        """Tasks submitted whose last answer was not taken yet."""
        return self._outstanding

    def submit(self, task: Task) -> None:
        """Queues a task."""
        self._outstanding += 1
        self._tasks.put(task)

    def next_answer(self) -> Answer | None:
        """The next answer, or None after half a second without one, so that the caller can look after other things.

        Raises InvalidSetting when nothing is outstanding.
        """
        if self._outstanding == 0:
            raise InvalidSetting("Expected an outstanding task to wait for, received none: submit one first.")
        try:
            answer, is_last = self._answers.get(timeout=WAITING_SEC)
        except queue.Empty:
            return None
        self._outstanding -= is_last
        return answer


def _drain(answers: Answers) -> None:
    try:
        while True:
            answers.get_nowait()
    except queue.Empty:
        return


class _Died(Exception):
    """A worker that died over a task, or had to be killed; the text says how."""


class _Watcher(threading.Thread):
    """Feeds one worker process and kills it when it makes no headway."""

    def __init__(self, tasks: Tasks, answers: Answers, limits: DecodeLimits, closing: threading.Event) -> None:
        super().__init__(daemon=True, name="decode-watcher")
        self.tasks, self.answers, self.limits, self.closing = tasks, answers, limits, closing
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while (task := self.tasks.get()) is not None and not self.closing.is_set():
            answers = self._decode(task) if isinstance(task, DecodeTask) else self._answer_once(task)
            for place, answer in enumerate(answers, start=1):
                self.answers.put((answer, place == len(task)))
        self.end_process()

    def _answer_once(self, task: InspectTask | SoundTask) -> Iterator[Answer]:
        try:
            yield from self._exchange(task)
        except _Died as death:
            yield Failed(video=task.video, reason=str(death))

    def _decode(self, task: DecodeTask) -> Iterator[Answer]:
        """One answer a clip. The clip over which a worker dies gets another try by the last decoder alone, the clips
        after it go on with all decoders; once workers keep dying, they fail."""
        waiting, deaths = list(task.clips), 0
        while waiting and not self.closing.is_set():
            try:
                for answer in self._exchange(replace(task, clips=tuple(waiting))):
                    if isinstance(answer, Decoded | Failed) and answer.planned is not None:
                        waiting.remove(answer.planned)
                    yield answer
            except _Died as death:
                deaths += 1
                culprit = waiting.pop(0)
                yield self._alone(replace(task, clips=(culprit,)), death)
                if deaths == MAX_DEATHS:
                    reason = f"{death}, {deaths} times in this video"
                    yield from (Failed(video=task.video, planned=clip, reason=reason) for clip in waiting)
                    return

    def _alone(self, task: DecodeTask, death: _Died) -> Answer:
        failed = Failed(video=task.video, planned=task.clips[0], reason=str(death))
        if len(task.decoders) < 2 or self.closing.is_set():
            return failed
        logger.info("%s: %s; trying %s alone", shown(task.video.source), death, task.decoders[-1])
        try:
            (second,) = self._exchange(replace(task, decoders=task.decoders[-1:]))
        except _Died as again:
            second = replace(failed, reason=str(again))
        return replace(failed, reason=f"{death}; then {second.reason}") if isinstance(second, Failed) else second

    def _exchange(self, task: Task) -> Iterator[Answer]:
        """Sends a task and gives its answers as they come. Raises _Died."""
        try:
            process = self._running_process()
        except OSError as error:
            raise _Died(f"no decode worker could be started: {error}") from error
        stalled = threading.Event()
        to_worker, from_worker = _pipes(process)
        due = len(task)
        try:
            with self._patience(process, stalled):
                send_task(to_worker, task, self.limits)
            while due:
                with self._patience(process, stalled):
                    answer = receive_answer(from_worker, task)
                if answer is not None:
                    due -= 1
                    yield answer
        except (BrokenAnswer, OSError, ValueError) as error:
            code = _end(process)
            self.process = None
            if stalled.is_set():
                raise _Died(f"decoding hung: no headway for {self.limits.stalled_sec:g} s") from error
            raise _Died(f"decoding crashed its worker ({_describe_exit(code)}; {error})") from error

    @contextmanager
    def _patience(self, process: subprocess.Popen[bytes], stalled: threading.Event) -> Iterator[None]:
        """Kills the process when what is done within takes too long; it is not at fault when nobody takes answers."""

        def kill() -> None:
            stalled.set()
            process.kill()

        timer = threading.Timer(self.limits.stalled_sec, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _running_process(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            paths = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "DECORD_LOG_LEVEL": "fatal"}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "index_builder.clips.worker_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        return self.process

    def end_process(self) -> None:
        """Kills the process, whatever it is at."""
        process = self.process
        if process is not None:
            process.kill()
            process.wait()
            for stream in _pipes(process):
                try:
                    stream.close()
                except (OSError, ValueError):
                    pass  # unsent bytes of a killed worker's pipe: nobody is left to read them


def _pipes(process: subprocess.Popen[bytes]) -> tuple[BinaryIO, BinaryIO]:
    """To the worker, and from it."""
    assert process.stdin is not None and process.stdout is not None  # opened as pipes
    return cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)


def _end(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process that ends by itself within a second, or is killed."""
    try:
        return process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _describe_exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

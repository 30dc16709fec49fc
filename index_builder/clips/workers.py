"""The decode pool: worker processes that can be killed, one thread of the builder watching each of them.

Workers are started afresh (not forked, not through multiprocessing, which would run the user's main script again): a
hung or crashed worker is killed and replaced, and only the clip it was at is affected.
"""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from index_builder.clips.messages import Answer, BrokenAnswer, DecodeTask, Failed, Task, receive_answer, send_task
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.worker_process import task_seconds
from index_builder.errors import InvalidSetting

logger = logging.getLogger(__name__)
PACKAGE_ROOT = Path(__file__).resolve().parents[2]


class DecodePool:
    """Runs tasks in `workers` processes; a context manager. Answers come in the order in which they are done.

    Workers pause while `answers` (by default two for each worker) wait to be taken, so memory stays bounded however
    fast decoding is.
    """

    def __init__(self, *, workers: int, limits: DecodeLimits | None = None, answers: int | None = None) -> None:
        if workers < 1:
            raise InvalidSetting(f"expected at least 1 worker, received {workers}: raise --workers")
        self.limits = limits or DecodeLimits()
        self._tasks: queue.Queue[Task | None] = queue.Queue()
        self._answers: queue.Queue[tuple[Task, Answer]] = queue.Queue(maxsize=answers or 2 * workers)
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
        """Tasks submitted whose answer was not taken yet."""
        return self._outstanding

    @property
    def process_ids(self) -> list[int]:
        """Of the worker processes that run now."""
        return [watcher.process.pid for watcher in self._watchers if watcher.process is not None]

    def submit(self, task: Task) -> None:
        """Queues a task."""
        self._outstanding += 1
        self._tasks.put(task)

    def next_answer(self) -> tuple[Task, Answer]:
        """Waits for the next finished task. Raises InvalidSetting when nothing is outstanding."""
        if self._outstanding == 0:
            raise InvalidSetting("expected an outstanding task to wait for, received none: submit one first")
        # A short timeout lets Ctrl-C reach the waiting thread on every platform.
        while True:
            try:
                task, answer = self._answers.get(timeout=0.5)
            except queue.Empty:
                continue
            self._outstanding -= 1
            return task, answer


def _drain(answers: queue.Queue) -> None:
    try:
        while True:
            answers.get_nowait()
    except queue.Empty:
        return


class _Watcher(threading.Thread):
    """Feeds one worker process and kills it when a task overruns its time."""

    def __init__(
        self, tasks: queue.Queue, answers: queue.Queue, limits: DecodeLimits, closing: threading.Event
    ) -> None:
        super().__init__(daemon=True, name="decode-watcher")
        self.tasks, self.answers, self.limits, self.closing = tasks, answers, limits, closing
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while (task := self.tasks.get()) is not None and not self.closing.is_set():
            answer, died = self._attempt(task)
            if died and isinstance(task, DecodeTask) and len(task.decoders) > 1 and not self.closing.is_set():
                logger.info("%s: %s; trying %s alone", task.path, answer.reason, task.decoders[-1])
                second, _ = self._attempt(replace(task, decoders=task.decoders[-1:]))
                answer = (
                    Failed(reason=f"{answer.reason}; then {second.reason}") if isinstance(second, Failed) else second
                )
            self.answers.put((task, answer))
        self.end_process()

    def _attempt(self, task: Task) -> tuple[Answer, bool]:
        """The answer, and whether the worker died over it."""
        seconds = task_seconds(task, self.limits)
        overrun = threading.Event()
        try:
            process = self._running_process()
        except OSError as error:
            return Failed(reason=f"no decode worker could be started: {error}"), True

        def kill() -> None:
            overrun.set()
            process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            send_task(process.stdin, task, self.limits)
            return receive_answer(process.stdout), False
        except (BrokenAnswer, OSError, ValueError) as error:
            code = _end(process)
            self.process = None
            if overrun.is_set():
                return Failed(reason=f"decoding hung and was killed after {seconds:g} s"), True
            return Failed(reason=f"decoding crashed its worker ({_describe_exit(code)}; {error})"), True
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
            for stream in (process.stdin, process.stdout):
                try:
                    stream.close()
                except (OSError, ValueError):
                    pass  # unsent bytes of a killed worker's pipe: nobody is left to read them


def _end(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process that ends by itself within a second, or is killed."""
    try:
        return process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _describe_exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

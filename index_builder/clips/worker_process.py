"""A decode worker: a process that answers one task after another until the builder is gone, or until it is killed."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from index_builder.clips.decode import decode_windows
from index_builder.clips.find import stamp
from index_builder.clips.messages import (
    Answer,
    Decoded,
    DecodeTask,
    Failed,
    Heard,
    Inspected,
    InspectTask,
    SoundTask,
    Task,
    receive_task,
    send_answer,
    send_headway,
)
from index_builder.clips.reading import in_eight_bits
from index_builder.clips.scenes import scene_cuts_ms
from index_builder.clips.sound import Sound, read_sound
from index_builder.clips.thumbnails import thumbnail_strip
from index_builder.clips.timeline import DecodeLimits, read_timeline
from index_builder.clips.video_bytes import ContentHash, Progress
from index_builder.errors import ClipUnreadable, MotionRAGError

CHANGED = "the file changed while it was being indexed: run the build again"
HEADWAY_SEC = 1.0
# The builder kills a stalled worker; should it be gone, the worker ends itself this much later.
GRACE_SEC = 10.0


def answers_to(task: Task, limits: DecodeLimits, progress: Progress) -> Iterator[tuple[Answer, int | None]]:
    """Does the task: (answer, place among its clips), once for each; whatever is wrong becomes a `Failed`."""
    left = set(range(len(task)))
    try:
        given = _given(task, limits, progress)
        _check_unchanged(task)
        for answer, place in given:
            _check_unchanged(task)
            left.discard(place or 0)
            yield answer, place
        return
    except MotionRAGError as error:
        reason = str(error)
    except MemoryError:
        reason = f"decoding needs more than the limit of {limits.memory_bytes >> 20} MiB of memory"
    except (OSError, ValueError, ArithmeticError, LookupError, RuntimeError, TypeError, AttributeError) as error:
        # What libraries raise over damaged files is not all documented; the reason is reported, and the run goes on.
        reason = f"{type(error).__name__}: {error}"
    for place in sorted(left):
        yield Failed(video=task.video, reason=reason), place if isinstance(task, DecodeTask) else None


def _given(task: Task, limits: DecodeLimits, progress: Progress) -> Iterator[tuple[Answer, int | None]]:
    if isinstance(task, DecodeTask):
        yield from _decode(task, progress)
    elif isinstance(task, SoundTask):
        yield Heard(video=task.video, sound=_sound(task, progress)), None
    else:
        yield from _inspect(task, limits, progress)


def _sound(task: SoundTask, progress: Progress) -> Sound:
    span = {"start_sec": task.start_sec, "end_sec": task.end_sec, "origin_sec": task.origin_sec}
    return read_sound(Path(task.video.path), **span, progress=progress)


def _check_unchanged(task: Task) -> None:
    if stamp(task.video.path.stat()) != (task.video.size_bytes, task.video.mtime_ns):
        raise ClipUnreadable(CHANGED)


def _inspect(
    task: InspectTask, limits: DecodeLimits, progress: Progress
) -> Iterator[tuple[Inspected | Failed, int | None]]:
    path = task.video.path
    if task.video.size_bytes == 0:
        raise ClipUnreadable("the file is empty")
    content = ContentHash()
    timeline = read_timeline(path, limits=limits, progress=progress, content=content)
    cuts: tuple[int, ...] = ()
    if task.scene_threshold is not None:
        cuts = scene_cuts_ms(path, timeline, threshold=task.scene_threshold, progress=progress)
    digest = content.finish(path, progress)
    yield Inspected(video=task.video, content_sha256=digest, timeline=timeline, cuts_ms=cuts), None


def _decode(task: DecodeTask, progress: Progress) -> Iterator[tuple[Decoded | Failed, int]]:
    windows = [(planned.window.start_sec, planned.window.end_sec) for planned in task.clips]
    for place, clip in decode_windows(
        Path(task.video.path),
        task.timeline,
        windows,
        reading=task.reading,
        decoders=task.decoders,
        progress=progress,
    ):
        planned = task.clips[place]
        if isinstance(clip, ClipUnreadable):
            yield Failed(video=task.video, planned=planned, reason=str(clip)), place
        else:
            yield Decoded(planned=planned, clip=clip, thumbnail=thumbnail_strip(in_eight_bits(clip.frames))), place


class _Watch:
    """Says at most every second that the work advances, and ends this process when it does not."""

    def __init__(self, limits: DecodeLimits, say: Callable[[], None]) -> None:
        self._every_sec, self._patience_sec = min(HEADWAY_SEC, limits.stalled_sec / 4), limits.stalled_sec + GRACE_SEC
        self._say, self._last = say, time.monotonic()
        self._nowhere = open(os.devnull, "w")
        self._arm()

    def _arm(self) -> None:
        faulthandler.dump_traceback_later(self._patience_sec, exit=True, file=self._nowhere)

    def headway(self) -> None:
        """The work has advanced."""
        if time.monotonic() - self._last >= self._every_sec:
            self.telling(self._say)

    def telling(self, tell: Callable[[], None]) -> None:
        """Waits for the builder, which may have other things to do, for as long as it takes."""
        faulthandler.cancel_dump_traceback_later()
        tell()
        self._last = time.monotonic()
        self._arm()

    def end(self) -> None:
        """The task is done."""
        faulthandler.cancel_dump_traceback_later()
        self._nowhere.close()


def _limit_memory(memory_bytes: int) -> None:
    """Address space is the one memory limit every Linux kernel enforces; elsewhere there is none."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """The worker's loop. Answers leave by a private copy of standard output, so no library's chatter can break them."""
    # Ctrl-C is for the builder, which ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    limited = False
    while (received := receive_task(sys.stdin.buffer)) is not None:
        task, limits = received
        if not limited:
            _limit_memory(limits.memory_bytes)
            limited = True
        watch = _Watch(limits, lambda: send_headway(answers))
        try:
            for answer, place in answers_to(task, limits, watch.headway):
                watch.telling(partial(send_answer, answers, answer, place))
        except BrokenPipeError:
            os._exit(0)
        watch.end()


if __name__ == "__main__":
    main()

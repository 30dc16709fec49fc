"""Reading single clips of videos in a worker that can be killed: what a hanging or hostile video costs is its clip.

Whoever waits for a clip is asked often whether to go on, so that a queue's cancel is heard while a video hangs.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from index_builder.clips.decode import DECODERS, DecodedClip
from index_builder.clips.find import VideoFile, stamp
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
)
from index_builder.clips.reading import Reading
from index_builder.clips.sound import Sound
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.windows import ClipWindow, PlannedClip, clip_windows
from index_builder.clips.workers import DecodePool
from index_builder.errors import ClipUnreadable


def unasked() -> None:
    """Nobody wants to stop the reading."""


class ClipReader:
    """Reads one clip after the other in a decode worker; a context manager.

    `waiting` is called at least every half second while a clip is waited for; what it raises ends the reading.
    """

    def __init__(self, *, limits: DecodeLimits | None = None, waiting: Callable[[], None] = unasked) -> None:
        self._pool = DecodePool(workers=1, limits=limits)
        self._waiting = waiting

    def __enter__(self) -> ClipReader:
        self._pool.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.__exit__(kind, error, trace)

    def inspect(self, path: Path) -> Inspected:
        """A video's content hash and timeline. Raises ClipUnreadable, also for what is no regular file."""
        try:
            path = path.resolve(strict=True)
            status = path.stat()
        except (OSError, RuntimeError, ValueError) as error:
            raise ClipUnreadable(f"the file is gone or cannot be reached: {error}") from error
        if not stat.S_ISREG(status.st_mode):
            raise ClipUnreadable(f"{path} is no regular file: choose a video")
        size_bytes, mtime_ns = stamp(status)
        video = VideoFile(path=path, root=path.parent, size_bytes=size_bytes, mtime_ns=mtime_ns)
        answer = self._answer(InspectTask(video=video))
        if not isinstance(answer, Inspected):
            raise ClipUnreadable(_reason(answer))
        return answer

    def clip(self, inspected: Inspected, window: ClipWindow, reading: Reading) -> DecodedClip:
        """The clip of a window of an inspected video. Raises ClipUnreadable."""
        task = DecodeTask(
            clips=(PlannedClip(video=inspected.video, window=window, row_id=""),),
            timeline=inspected.timeline,
            reading=reading,
            decoders=DECODERS,
        )
        answer = self._answer(task)
        if not isinstance(answer, Decoded):
            raise ClipUnreadable(_reason(answer))
        return answer.clip

    def middle(self, inspected: Inspected, *, seconds: float, reading: Reading) -> DecodedClip:
        """The clip of a video's middle `seconds`, all of a shorter one. Raises ClipUnreadable."""
        (window,) = clip_windows(inspected.timeline.duration_sec, clip_seconds=seconds)
        return self.clip(inspected, window, reading)

    def sound(self, inspected: Inspected, window: ClipWindow) -> Sound:
        """The sound of a window. Raises ClipUnreadable, also where the video has none."""
        timeline = inspected.timeline
        task = SoundTask(
            video=inspected.video,
            start_sec=window.start_sec,
            end_sec=window.end_sec,
            origin_sec=timeline.origin_ticks * timeline.tick_sec,
        )
        answer = self._answer(task)
        if not isinstance(answer, Heard):
            raise ClipUnreadable(_reason(answer))
        return answer.sound

    def _answer(self, task: Task) -> Answer:
        self._pool.submit(task)
        self._waiting()
        while (answer := self._pool.next_answer()) is None:
            self._waiting()
        return answer


def _reason(answer: Answer) -> str:
    return answer.reason if isinstance(answer, Failed) else "it cannot be read"

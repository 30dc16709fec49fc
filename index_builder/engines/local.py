"""The local engine: inspects and decodes videos in worker processes of this machine, in a plan the build decides."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from index_builder.clips.decode import DECODERS, DecodedClip
from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Decoded, DecodeTask, Failed, Inspected, InspectTask
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.windows import ClipWindow
from index_builder.clips.workers import DecodePool

MAX_DEFAULT_WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class PlannedClip:
    """A clip that is to be decoded; `row_id` as in the database."""

    video: VideoFile
    window: ClipWindow
    row_id: str


@dataclass(frozen=True, kw_only=True)
class ReadyClip:
    """A decoded clip and its JPEG strip."""

    planned: PlannedClip
    clip: DecodedClip
    thumbnail: bytes


@dataclass(frozen=True, kw_only=True)
class FailedClip:
    """A video (window and id unknown: `planned` is None) or a clip that could not be read."""

    video: VideoFile
    planned: PlannedClip | None
    reason: str


Plan = Callable[[VideoFile, Inspected], Sequence[PlannedClip]]


def default_workers() -> int:
    """As many as this process may use processors, at most eight: encoding needs some too."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(available, MAX_DEFAULT_WORKERS))


class LocalEngine:
    """Decodes on this machine. Other engines give the same events for the same plan."""

    def __init__(self, *, workers: int | None, limits: DecodeLimits | None, frames: int, short_side: int) -> None:
        self.workers = default_workers() if workers is None else workers
        self.limits, self.frames, self.short_side = limits or DecodeLimits(), frames, short_side

    def clips(self, videos: Sequence[VideoFile], plan: Plan) -> Iterator[ReadyClip | FailedClip]:
        """Inspects each video, asks `plan` (in the order of `videos`) which of its clips to decode, and yields each
        clip once, in the order in which decoding ends."""
        waiting, decoding = deque(enumerate(videos)), deque()
        inspecting: dict[InspectTask, int] = {}
        inspected: dict[int, Inspected | Failed] = {}
        planned_of: dict[DecodeTask, PlannedClip] = {}
        next_to_plan = 0
        with DecodePool(workers=self.workers, limits=self.limits) as pool:
            while True:
                while pool.outstanding < 4 * self.workers and (decoding or waiting):
                    if decoding:
                        pool.submit(decoding.popleft())
                    else:
                        index, video = waiting.popleft()
                        task = InspectTask(path=video.source, size_bytes=video.size_bytes, mtime_ns=video.mtime_ns)
                        inspecting[task] = index
                        pool.submit(task)
                if not pool.outstanding:
                    return
                task, answer = pool.next_answer()
                if isinstance(task, DecodeTask):
                    yield _event(planned_of.pop(task), answer)
                    continue
                inspected[inspecting.pop(task)] = answer
                while next_to_plan in inspected:
                    video, found = videos[next_to_plan], inspected.pop(next_to_plan)
                    next_to_plan += 1
                    if isinstance(found, Failed):
                        yield FailedClip(video=video, planned=None, reason=found.reason)
                        continue
                    for planned in plan(video, found):
                        task = self._decode_task(planned)
                        planned_of[task] = planned
                        decoding.append(task)

    def _decode_task(self, planned: PlannedClip) -> DecodeTask:
        return DecodeTask(
            path=planned.video.source,
            size_bytes=planned.video.size_bytes,
            mtime_ns=planned.video.mtime_ns,
            start_sec=planned.window.start_sec,
            end_sec=planned.window.end_sec,
            frames=self.frames,
            short_side=self.short_side,
            decoders=DECODERS,
        )


def _event(planned: PlannedClip, answer: Decoded | Failed) -> ReadyClip | FailedClip:
    if isinstance(answer, Failed):
        return FailedClip(video=planned.video, planned=planned, reason=answer.reason)
    return ReadyClip(planned=planned, clip=answer.clip, thumbnail=answer.thumbnail)

"""The local engine: inspects and decodes videos in worker processes of this machine, in a plan the build decides."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence

from index_builder.clips.decode import DECODERS
from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Decoded, DecodeTask, Failed, Inspected, InspectTask
from index_builder.clips.workers import DecodePool
from index_builder.engines.engine import EngineWork, FailedClip, Plan, PlannedClip, ReadyClip

MAX_DEFAULT_WORKERS = 8


def default_workers() -> int:
    """As many as this process may use processors, at most eight: encoding needs some too."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(available, MAX_DEFAULT_WORKERS))


class LocalEngine:
    """Decodes on this machine, and leaves encoding to the build."""

    def __init__(self, *, workers: int | None = None) -> None:
        self.workers = default_workers() if workers is None else workers

    def clips(self, videos: Sequence[VideoFile], plan: Plan, work: EngineWork) -> Iterator[ReadyClip | FailedClip]:
        """Clips in the order in which decoding ends. While the build encodes a batch, the next one is decoded."""
        waiting, decoding = deque(enumerate(videos)), deque()
        inspecting: dict[InspectTask, int] = {}
        inspected: dict[int, Inspected | Failed] = {}
        planned_of: dict[DecodeTask, PlannedClip] = {}
        next_to_plan = 0
        ahead = max(2 * self.workers, work.batch_clips)
        with DecodePool(workers=self.workers, limits=work.limits, answers=ahead) as pool:
            while True:
                while pool.outstanding < 2 * ahead + self.workers and (decoding or waiting):
                    if decoding:
                        pool.submit(decoding.popleft())
                    else:
                        index, video = waiting.popleft()
                        task = inspect_task(video, work.scene_threshold)
                        inspecting[task] = index
                        pool.submit(task)
                if not pool.outstanding:
                    return
                task, answer = pool.next_answer()
                if isinstance(task, DecodeTask):
                    yield event_of(planned_of.pop(task), answer)
                    continue
                inspected[inspecting.pop(task)] = answer
                while next_to_plan in inspected:
                    video, found = videos[next_to_plan], inspected.pop(next_to_plan)
                    next_to_plan += 1
                    if isinstance(found, Failed):
                        yield FailedClip(video=video, planned=None, reason=found.reason)
                        continue
                    for planned in plan(video, found):
                        task = decode_task(planned, frames=work.clip_frames, short_side=work.short_side)
                        planned_of[task] = planned
                        decoding.append(task)


def inspect_task(video: VideoFile, scene_threshold: float | None = None) -> InspectTask:
    """Asks a decode worker for a video's hash, length and, where wanted, cuts."""
    return InspectTask(
        path=video.source,
        size_bytes=video.size_bytes,
        mtime_ns=video.mtime_ns,
        scene_threshold=scene_threshold,
    )


def decode_task(planned: PlannedClip, *, frames: int, short_side: int) -> DecodeTask:
    """Asks a decode worker for a planned clip."""
    return DecodeTask(
        path=planned.video.source,
        size_bytes=planned.video.size_bytes,
        mtime_ns=planned.video.mtime_ns,
        start_sec=planned.window.start_sec,
        end_sec=planned.window.end_sec,
        frames=frames,
        short_side=short_side,
        decoders=DECODERS,
    )


def event_of(planned: PlannedClip, answer: Decoded | Failed) -> ReadyClip | FailedClip:
    """What a decode worker's answer says of the clip."""
    if isinstance(answer, Failed):
        return FailedClip(video=planned.video, planned=planned, reason=answer.reason)
    return ReadyClip(planned=planned, clip=answer.clip, thumbnail=answer.thumbnail)

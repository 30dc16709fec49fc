"""The local engine: inspects and decodes videos in worker processes of this machine, in a plan the build decides."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Sequence

from index_builder.clips.decode import DECODERS
from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Decoded, DecodeTask, Failed, Inspected, InspectTask
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import Timeline
from index_builder.clips.windows import PlannedClip
from index_builder.clips.workers import DecodePool
from index_builder.engines.batch_size import FEW
from index_builder.engines.engine import EngineWork, Event, Plan

MAX_DEFAULT_WORKERS = 8
# A long film is shared by the workers. Each part begins with a seek, which may decode a few seconds for nothing; parts
# become smaller towards the end, so that no worker is left alone with a large one.
CLIPS_AT_A_TIME, LEAST_CLIPS, PARTS_OF_THE_REST = 64, 8, 4


def default_workers() -> int:
    """As many as this process may use processors, at most eight: encoding needs some too."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(available, MAX_DEFAULT_WORKERS))


class LocalEngine:
    """Decodes on this machine, and leaves encoding to the build."""

    def __init__(self, *, workers: int | None = None) -> None:
        self.workers = default_workers() if workers is None else workers

    def clips(self, videos: Sequence[VideoFile], plan: Plan, work: EngineWork) -> Generator[Event | None, None, None]:
        """Clips in the order in which decoding ends. While the build encodes a batch, the next one is decoded."""
        waiting = deque(videos)
        decoding: deque[DecodeTask] = deque()
        inspected: dict[VideoFile, Inspected | Failed] = {}
        to_plan = deque(videos)
        ahead = max(2 * self.workers, work.batch_clips or FEW)
        with DecodePool(workers=self.workers, limits=work.limits, answers=ahead) as pool:
            while True:
                while pool.outstanding < 2 * ahead + self.workers and (decoding or waiting):
                    if decoding:
                        pool.submit(decoding.popleft())
                    else:
                        pool.submit(InspectTask(video=waiting.popleft(), scene_threshold=work.scene_threshold))
                if not pool.outstanding:
                    return
                answer = pool.next_answer()
                if answer is None or isinstance(answer, Decoded) or (isinstance(answer, Failed) and answer.planned):
                    yield answer
                    continue
                if isinstance(answer, Inspected | Failed):
                    inspected[answer.video] = answer
                while to_plan and to_plan[0] in inspected:
                    video = to_plan.popleft()
                    found = inspected.pop(video)
                    if isinstance(found, Failed):
                        yield found
                        continue
                    planned = plan(video, found)
                    decoding += decode_tasks(planned, found.timeline, reading=work.reading)


def decode_tasks(planned: Sequence[PlannedClip], timeline: Timeline, *, reading: Reading) -> list[DecodeTask]:
    """Asks decode workers for clips of one video: in parts where a part can be sought, else in one pass."""
    ordered = sorted(planned, key=lambda clip: clip.window)
    cut = timeline.indexed and timeline.timed
    tasks = []
    while ordered:
        step = max(LEAST_CLIPS, min(CLIPS_AT_A_TIME, len(ordered) // PARTS_OF_THE_REST)) if cut else len(ordered)
        part, ordered = tuple(ordered[:step]), ordered[step:]
        tasks.append(DecodeTask(clips=part, timeline=timeline, reading=reading, decoders=DECODERS))
    return tasks

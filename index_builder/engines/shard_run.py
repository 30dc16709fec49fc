"""A build's way through a crew of shard workers: inspection, planning in the order of the videos, indexing.

A worker that dies costs time, never clips: its shard is given to another. A shard over which workers die again and
again is taken apart, so that one clip cannot take others with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Failed, Inspected
from index_builder.clips.timeline import Timeline
from index_builder.clips.windows import PlannedClip
from index_builder.engines.batch_size import FEW
from index_builder.engines.engine import EngineWork, Event, Plan
from index_builder.engines.shards import IndexShard, InspectShard

MAX_DEATHS = 3
INSPECTED_AT_A_TIME = 32
# Few enough shards that segments stay large, enough that none waits long for the last one.
SHARDS_PER_WORKER = 4

Shard = InspectShard | IndexShard


class Crew(Protocol):
    """Workers, wherever they are; `size` is how many there are when all is well."""

    size: int

    @property
    def busy(self) -> bool:
        """Whether any shard is with a worker."""
        ...

    def assign(self, shards: deque[Shard]) -> None:
        """Takes shards from the left while workers are free."""
        ...

    def next_result(self) -> tuple[Shard, Any] | None:
        """Waits for a shard to end, with what ShardWorker returns for it or, when its worker died, None; or for a
        worker to become free."""
        ...


class ShardRun:
    """One build."""

    def __init__(self, crew: Crew, videos: Sequence[VideoFile], plan: Plan, work: EngineWork) -> None:
        self.crew, self.videos, self.plan, self.work = crew, videos, plan, work
        starts = range(0, len(videos), INSPECTED_AT_A_TIME)
        self.shards: deque[Shard] = deque(
            InspectShard(videos=tuple(videos[start : start + INSPECTED_AT_A_TIME])) for start in starts
        )
        self.inspected: dict[VideoFile, Inspected | Failed] = {}
        self.planned: list[PlannedClip] = []
        self.timelines: dict[VideoFile, Timeline] = {}
        self.next_to_plan = 0
        even = len(videos) // (SHARDS_PER_WORKER * crew.size)
        self.shard_clips = max(work.batch_clips or FEW, min(work.commit_clips, even))

    def events(self) -> Iterator[Event | None]:
        """Segments and failures in the order in which they come, None while none does."""
        while self.shards or self.crew.busy:
            self.crew.assign(self.shards)
            ended = self.crew.next_result()
            if ended is None:
                yield None
                continue
            shard, result = ended
            if result is None:
                yield from self._redistribute(shard)
            elif isinstance(shard, InspectShard):
                self.inspected.update(zip(shard.videos, result, strict=True))
            else:
                yield from result.failed
                if result.written is not None:
                    yield result.written
            yield from self._plan_ahead()

    def _plan_ahead(self) -> Iterator[Failed]:
        """Plans every video whose turn it is, and makes shards of full size; of the rest too, once all are planned."""
        while self.next_to_plan < len(self.videos) and self.videos[self.next_to_plan] in self.inspected:
            video = self.videos[self.next_to_plan]
            found = self.inspected.pop(video)
            self.next_to_plan += 1
            if isinstance(found, Failed):
                yield found
            elif planned := self.plan(video, found):
                self.planned += planned
                self.timelines[video] = found.timeline
        least = 1 if self.next_to_plan == len(self.videos) else self.shard_clips
        while len(self.planned) >= least:
            clips, self.planned = tuple(self.planned[: self.shard_clips]), self.planned[self.shard_clips :]
            # In front of the videos still to inspect: what is planned is waited for.
            self.shards.appendleft(IndexShard(clips=clips, timelines=self._timelines_of(clips)))

    def _timelines_of(self, clips: Sequence[PlannedClip]) -> dict[VideoFile, Timeline]:
        """Those of the clips' videos; of videos without further clips they are not kept."""
        found = {clip.video: self.timelines[clip.video] for clip in clips}
        waiting = {clip.video for clip in self.planned}
        self.timelines = {video: timeline for video, timeline in self.timelines.items() if video in waiting}
        return found

    def _redistribute(self, shard: Shard) -> Iterator[Failed]:
        """What becomes of a shard whose worker died: another try, then its parts by themselves, then failure."""
        deaths = shard.deaths + 1
        if deaths < MAX_DEATHS:
            self.shards.appendleft(replace(shard, deaths=deaths))
        elif len(shard) > 1:
            self.shards.extendleft(shard.parts(MAX_DEATHS - 1))
        elif isinstance(shard, InspectShard):
            self.inspected[shard.videos[0]] = Failed(video=shard.videos[0], reason=_deadly(deaths))
        else:
            clip = shard.clips[0]
            yield Failed(video=clip.video, planned=clip, reason=_deadly(deaths))


def _deadly(deaths: int) -> str:
    return f"the worker that had it died {deaths} times: try it alone with --engine local"

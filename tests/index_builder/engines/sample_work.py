"""What a build would ask of an engine, without a build; and an engine of one worker in this process, which writes
segments as the workers of other machines do."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from index_builder.clips.find import VideoFile
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import DecodeLimits
from index_builder.database.commit.segment_files import SegmentTicket
from index_builder.engines.engine import EngineWork, Event, Plan
from index_builder.engines.shard_run import Shard, ShardRun
from index_builder.engines.shards import InspectShard, MakeEncoder, ShardWorker


def engine_work(database: Path, *, batch_clips: int = 4, commit_clips: int = 8) -> EngineWork:
    def new_ticket() -> SegmentTicket:
        name = uuid.uuid4().hex
        return SegmentTicket(database=database, name=name, temporary=f".tmp-{name}", fingerprint="f", sampling={})

    return EngineWork(
        database=database,
        reading=Reading(frames=4, short_side=32),
        limits=DecodeLimits(),
        batch_clips=batch_clips,
        commit_clips=commit_clips,
        new_ticket=new_ticket,
    )


class ShardEngine:
    """Implements Engine by a crew of one ShardWorker."""

    def __init__(self, make_encoder: MakeEncoder) -> None:
        self.make_encoder = make_encoder

    def clips(self, videos: Sequence[VideoFile], plan: Plan, work: EngineWork) -> Iterator[Event | None]:
        worker = ShardWorker(
            self.make_encoder,
            database=work.database.absolute(),
            processes=1,
            limits=work.limits,
            batch_clips=work.batch_clips,
            scene_threshold=work.scene_threshold,
        )
        worker.start()
        try:
            yield from ShardRun(_Crew(worker, work), videos, plan, work).events()
        finally:
            worker.close()


class _Crew:
    size, busy = 1, False

    def __init__(self, worker: ShardWorker, work: EngineWork) -> None:
        self.worker, self.work, self.results = worker, work, deque()

    def assign(self, shards: deque[Shard]) -> None:
        shard = shards.popleft()
        inspecting = isinstance(shard, InspectShard)
        result = self.worker.inspect(shard) if inspecting else self.worker.index(shard, self.work.new_ticket())
        self.results.append((shard, result))

    def next_result(self):
        return self.results.popleft()

"""The way through a crew: order of planning, sizes of shards, and what becomes of shards whose workers die."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np

from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Failed, Inspected
from index_builder.clips.orientation import UPRIGHT
from index_builder.clips.timeline import Timeline
from index_builder.clips.windows import ClipWindow, PlannedClip
from index_builder.engines.engine import WrittenSegment
from index_builder.engines.shard_run import MAX_DEATHS, SHARDS_PER_WORKER, ShardRun
from index_builder.engines.shards import IndexedShard, IndexShard, InspectShard
from tests.index_builder.engines.sample_work import engine_work

VIDEOS = [VideoFile(path=Path(f"/v/{n:03}.mp4"), root=Path("/v"), size_bytes=1, mtime_ns=n) for n in range(100)]


def inspected(video: VideoFile) -> Inspected | Failed:
    if video.path.stem == "007":
        return Failed(video=video, reason="no video")
    timeline = Timeline(
        ticks=np.arange(50),
        tick_sec=0.04,
        origin_ticks=0,
        duration_sec=2.0,
        fps=25.0,
        width=64,
        height=48,
        coded_width=64,
        coded_height=48,
        orientation=UPRIGHT,
        stream=0,
        indexed=True,
        timed=True,
    )
    return Inspected(video=video, content_sha256="0", timeline=timeline)


class LoneWorker:
    """A crew of one that lives in this process, dies over what it is told to, and remembers what it was given."""

    size = 1

    def __init__(self, deadly: set[str] = frozenset(), deaths: int = 10**6) -> None:
        self.deadly, self.deaths = deadly, deaths
        self.shard, self.seen = None, []

    @property
    def busy(self) -> bool:
        return self.shard is not None

    def assign(self, shards: deque) -> None:
        if shards and not self.busy:
            self.shard = shards.popleft()

    def next_result(self):
        shard, self.shard = self.shard, None
        if shard is None:
            return None
        self.seen.append(shard)
        videos = shard.videos if isinstance(shard, InspectShard) else [clip.video for clip in shard.clips]
        kind = "inspect" if isinstance(shard, InspectShard) else "index"
        if self.deaths and any(f"{kind} {video.path.stem}" in self.deadly for video in videos):
            self.deaths -= 1
            return shard, None
        if kind == "inspect":
            return shard, [inspected(video) for video in videos]
        assert set(shard.timelines) == {clip.video for clip in shard.clips}
        rows = tuple((clip.row_id, clip.video.source) for clip in shard.clips)
        return shard, IndexedShard(written=WrittenSegment(segment=None, rows=rows), failed=())


def run(crew: LoneWorker, **sizes: int):
    order = []

    def plan(video: VideoFile, inspected: Inspected) -> list[PlannedClip]:
        order.append(video)
        stem = video.path.stem
        return [PlannedClip(video=video, window=ClipWindow(0, 2000), row_id=stem, captions=(stem,))]

    events = list(ShardRun(crew, VIDEOS, plan, engine_work(Path("/db"), **sizes)).events())
    indexed = [row_id for event in events if isinstance(event, WrittenSegment) for row_id, _ in event.rows]
    failed = {event.video.path.stem: event.reason for event in events if isinstance(event, Failed)}
    assert len(indexed) == len(set(indexed)) and len(indexed) + len(failed) == len(VIDEOS)
    assert order == sorted(order, key=lambda video: video.path)
    return indexed, failed


def test_every_clip_ends_once_and_shards_are_even() -> None:
    crew = LoneWorker()
    _, failed = run(crew, commit_clips=512)
    assert failed == {"007": "no video"}
    sizes = [len(shard) for shard in crew.seen if isinstance(shard, IndexShard)]
    assert sizes[0] == len(VIDEOS) // SHARDS_PER_WORKER == 25 and sum(sizes) == 99
    clips = [clip for shard in crew.seen if isinstance(shard, IndexShard) for clip in shard.clips]
    assert sorted(clip.captions[0] for clip in clips) == [
        video.path.stem for video in VIDEOS if video.path.stem != "007"
    ]
    run(small := LoneWorker(), commit_clips=10)
    assert max(len(shard) for shard in small.seen if isinstance(shard, IndexShard)) == 10


def test_workers_that_die_by_chance_cost_nothing() -> None:
    crew = LoneWorker({"index 050", "inspect 003"}, deaths=MAX_DEATHS - 1)
    assert run(crew)[1] == {"007": "no video"}


def test_one_clip_that_kills_every_worker_fails_alone() -> None:
    indexed, failed = run(LoneWorker({"index 050"}))
    assert set(failed) == {"007", "050"} and "died 3 times: try it alone with --engine local" in failed["050"]
    assert len(indexed) == 98


def test_one_video_that_kills_every_inspector_fails_alone() -> None:
    indexed, failed = run(LoneWorker({"inspect 050"}))
    assert set(failed) == {"007", "050"} and "died 3 times" in failed["050"] and len(indexed) == 98

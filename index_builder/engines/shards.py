"""Shards: what a worker does on its own, on whatever machine: inspect videos, or index clips into a segment."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Failed, Inspected
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.workers import DecodePool
from index_builder.database.commit.segment_files import SegmentTicket
from index_builder.engines.encode import EncodedClip, encode_clips, row_batch
from index_builder.engines.engine import FailedClip, PlannedClip, WrittenSegment
from index_builder.engines.local import decode_task, event_of, inspect_task
from index_builder.errors import DatabaseNotFound
from index_builder.features.clip_encoder import ClipEncoder

MakeEncoder = Callable[[], ClipEncoder]


@dataclass(frozen=True, kw_only=True)
class InspectShard:
    """Videos to inspect; `deaths` counts the workers that died over it."""

    videos: tuple[VideoFile, ...]
    deaths: int = 0

    def __len__(self) -> int:
        return len(self.videos)

    def parts(self, deaths: int) -> list[InspectShard]:
        """One shard for each video."""
        return [InspectShard(videos=(video,), deaths=deaths) for video in self.videos]


@dataclass(frozen=True, kw_only=True)
class IndexShard:
    """Clips to decode, encode and write; `deaths` counts the workers that died over it."""

    clips: tuple[PlannedClip, ...]
    deaths: int = 0

    def __len__(self) -> int:
        return len(self.clips)

    def parts(self, deaths: int) -> list[IndexShard]:
        """One shard for each clip."""
        return [IndexShard(clips=(clip,), deaths=deaths) for clip in self.clips]


@dataclass(frozen=True, kw_only=True)
class IndexedShard:
    """How a shard ended: its segment (None when no clip came through), and the clips that failed."""

    written: WrittenSegment | None
    failed: tuple[FailedClip, ...]


class ShardWorker:
    """The worker of every engine that spreads over machines: a decode pool and an encoder of its own."""

    def __init__(
        self,
        make_encoder: MakeEncoder,
        *,
        database: Path,
        processes: int,
        limits: DecodeLimits,
        batch_clips: int,
        scene_threshold: float | None = None,
    ) -> None:
        self.make_encoder, self.database, self.scene_threshold = make_encoder, database, scene_threshold
        self.processes, self.limits, self.batch_clips = processes, limits, batch_clips

    def start(self) -> None:
        """Loads the encoder and starts the decode processes, which end with this one.

        Raises DatabaseNotFound when the database is not on storage that this machine shares.
        """
        if not (self.database / "segments").is_dir():
            raise DatabaseNotFound(
                f"expected the database's folder {self.database} on {socket.gethostname()}, found none: put the "
                "database on storage that every node mounts under the same path"
            )
        self.encoder = self.make_encoder()
        ahead = max(2 * self.processes, self.batch_clips)
        self.pool = DecodePool(workers=self.processes, limits=self.limits, answers=ahead)
        self.pool.__enter__()

    def close(self) -> None:
        """Ends the decode processes."""
        self.pool.__exit__(None, None, None)

    def inspect(self, shard: InspectShard) -> list[Inspected | Failed]:
        """The hash, length and, where wanted, cuts of each video, in their order."""
        place_of = {inspect_task(video, self.scene_threshold): place for place, video in enumerate(shard.videos)}
        found: list[Inspected | Failed | None] = [None] * len(shard)
        for task in place_of:
            self.pool.submit(task)
        while self.pool.outstanding:
            task, answer = self.pool.next_answer()
            found[place_of[task]] = answer
        return found

    def index(self, shard: IndexShard, ticket: SegmentTicket) -> IndexedShard:
        """Decodes and encodes at the same time, and writes what came through as the segment of `ticket`."""
        planned_of = {
            decode_task(planned, frames=self.encoder.clip_frames, short_side=self.encoder.short_side): planned
            for planned in shard.clips
        }
        encoded: list[EncodedClip] = []
        failed: list[FailedClip] = []
        waiting = []

        def encode() -> None:
            if waiting:
                done, unfit = encode_clips(self.encoder, waiting)
                encoded.extend(done)
                failed.extend(unfit)
                waiting.clear()

        for task in planned_of:
            self.pool.submit(task)
        while self.pool.outstanding:
            task, answer = self.pool.next_answer()
            event = event_of(planned_of[task], answer)
            failed.append(event) if isinstance(event, FailedClip) else waiting.append(event)
            if len(waiting) >= self.batch_clips:
                encode()
        encode()
        if not encoded:
            return IndexedShard(written=None, failed=tuple(failed))
        segment = ticket.write(row_batch(encoded))
        written = WrittenSegment(segment=segment, clips=tuple(clip.planned for clip in encoded))
        return IndexedShard(written=written, failed=tuple(failed))

"""Shards: what a worker does on its own, on whatever machine: inspect videos, or index clips into a segment."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Answer, Decoded, Failed, Inspected, InspectTask
from index_builder.clips.timeline import DecodeLimits, Timeline
from index_builder.clips.windows import PlannedClip
from index_builder.clips.workers import DecodePool
from index_builder.database.commit.segment_files import RowBatch, SegmentTicket
from index_builder.database.commit.segment_rows import joined
from index_builder.engines.batch_size import BatchSize
from index_builder.engines.encode import encode_clips
from index_builder.engines.engine import WrittenSegment
from index_builder.engines.local import decode_tasks
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
    """Clips to decode, encode and write, with the timelines of their videos; `deaths` counts the workers that died over
    it."""

    clips: tuple[PlannedClip, ...]
    timelines: Mapping[VideoFile, Timeline]
    deaths: int = 0

    def __len__(self) -> int:
        return len(self.clips)

    def parts(self, deaths: int) -> list[IndexShard]:
        """One shard for each clip."""
        return [
            IndexShard(clips=(clip,), timelines={clip.video: self.timelines[clip.video]}, deaths=deaths)
            for clip in self.clips
        ]


@dataclass(frozen=True, kw_only=True)
class IndexedShard:
    """How a shard ended: its segment (None when no clip came through), and the clips that failed."""

    written: WrittenSegment | None
    failed: tuple[Failed, ...]


class ShardWorker:
    """The worker of every engine that spreads over machines: a decode pool and an encoder of its own."""

    def __init__(
        self,
        make_encoder: MakeEncoder,
        *,
        database: Path,
        processes: int,
        limits: DecodeLimits,
        batch_clips: int | None,
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
                f"Expected the database's folder {self.database} on {socket.gethostname()}, found none: put the "
                "database on storage that every node mounts under the same path."
            )
        self.encoder = self.make_encoder()
        self.batch = BatchSize(self.batch_clips, self.encoder.device)
        ahead = max(2 * self.processes, self.batch.clips)
        self.pool = DecodePool(workers=self.processes, limits=self.limits, answers=ahead)
        self.pool.__enter__()

    def close(self) -> None:
        """Ends the decode processes."""
        self.pool.__exit__(None, None, None)

    def inspect(self, shard: InspectShard) -> list[Inspected | Failed]:
        """The hash, timeline and, where wanted, cuts of each video, in their order."""
        for video in shard.videos:
            self.pool.submit(InspectTask(video=video, scene_threshold=self.scene_threshold))
        found = {answer.video: answer for answer in self._answers() if isinstance(answer, Inspected | Failed)}
        return [found[video] for video in shard.videos]

    def _answers(self) -> Iterator[Answer]:
        while self.pool.outstanding:
            if (answer := self.pool.next_answer()) is not None:
                yield answer

    def index(self, shard: IndexShard, ticket: SegmentTicket) -> IndexedShard:
        """Decodes and encodes at the same time, and writes what came through as the segment of `ticket`."""
        encoded: list[RowBatch] = []
        failed: list[Failed] = []
        waiting: list[Decoded] = []

        def encode() -> None:
            if waiting:
                with self.batch.learning(len(waiting)):
                    done, unfit = encode_clips(self.encoder, waiting)
                encoded.extend([done] if done else [])
                failed.extend(unfit)
                waiting.clear()

        for video, timeline in shard.timelines.items():
            of_video = [planned for planned in shard.clips if planned.video == video]
            for task in decode_tasks(of_video, timeline, reading=self.encoder.reading):
                self.pool.submit(task)
        for answer in self._answers():
            if isinstance(answer, Failed):
                failed.append(answer)
            elif isinstance(answer, Decoded):
                waiting.append(answer)
            if len(waiting) >= self.batch.clips:
                encode()
        encode()
        if not encoded:
            return IndexedShard(written=None, failed=tuple(failed))
        batch = joined(encoded)
        segment = ticket.write(batch)
        rows = tuple((row.id, row.source) for row in batch.rows)
        return IndexedShard(written=WrittenSegment(segment=segment, rows=rows), failed=tuple(failed))

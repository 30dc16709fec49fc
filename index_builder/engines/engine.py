"""What every engine is: it takes videos through inspection to clips, on this machine or on many.

A build asks an engine for events and books them. An engine may hand over decoded clips, which the build encodes and
commits, or whole segments that its workers have encoded and written, which the build only commits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Decoded, Failed, Inspected
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.windows import PlannedClip
from index_builder.database.commit.segment_files import SegmentTicket
from index_builder.database.format.manifest import Segment


@dataclass(frozen=True, kw_only=True)
class WrittenSegment:
    """A segment in place that no manifest lists yet; `rows`: (id, source) of each of its rows."""

    segment: Segment
    rows: tuple[tuple[str, str], ...]


Event = Decoded | Failed | WrittenSegment
Plan = Callable[[VideoFile, Inspected], Sequence[PlannedClip]]


@dataclass(frozen=True, kw_only=True)
class EngineWork:
    """What a build asks of its engine.

    `database` is the folder that is being built. Clips are wanted as `reading` says. Engines that encode too encode
    `batch_clips` at a time (None: see `BatchSize`), and write at most `commit_clips` into the segment of a
    `new_ticket`. Where `scene_threshold` is given, inspection finds each video's cuts too.
    """

    database: Path
    reading: Reading
    limits: DecodeLimits
    batch_clips: int | None
    commit_clips: int
    new_ticket: Callable[[], SegmentTicket]
    scene_threshold: float | None = None


class Engine(Protocol):
    """Gives the same clips for the same plan, whatever runs them."""

    def clips(self, videos: Sequence[VideoFile], plan: Plan, work: EngineWork) -> Generator[Event | None, None, None]:
        """Inspects each video, asks `plan`, in the order of `videos`, which of its clips to decode, and ends each clip
        once, in any order. While nothing ends it gives None about every second, so that the caller can look up."""
        ...

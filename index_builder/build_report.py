"""What a build did: every video it found ended as exactly one of indexed, skipped and failed, and the counts add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol

from index_builder.captions.counts import CaptionCounts
from index_builder.errors import InvalidSetting

ALREADY_INDEXED = "already indexed"
INTERRUPTED = "interrupted before its turn: run the build again"
Outcome = Literal["indexed", "skipped", "failed"]
Phase = Literal["reading", "encoding", "indexing", "done"]


@dataclass(frozen=True, kw_only=True)
class ReportEntry:
    """The end of one clip, or of one video that came to no clip (`row_id` is None). `reason` is empty if indexed."""

    source: str
    row_id: str | None
    outcome: Outcome
    reason: str


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """Entries of all clips. A video counts as indexed if any of its clips is, else as failed if any failed, else as
    skipped; so found = indexed + skipped + failed holds for videos, whatever the number of clips of each."""

    database: str
    generation: int
    rows: int
    found_videos: int
    indexed: tuple[ReportEntry, ...]
    skipped: tuple[ReportEntry, ...]
    failed: tuple[ReportEntry, ...]
    seconds: float
    interrupted: bool
    captions: CaptionCounts = field(default_factory=CaptionCounts)

    def videos(self, outcome: Outcome) -> int:
        """How many videos ended so."""
        indexed = {entry.source for entry in self.indexed}
        failed = {entry.source for entry in self.failed} - indexed
        skipped = {entry.source for entry in self.skipped} - indexed - failed
        return len({"indexed": indexed, "failed": failed, "skipped": skipped}[outcome])

    def as_dict(self) -> dict[str, object]:
        """JSON-ready: counts of videos and of clips, then all entries."""
        outcomes: tuple[Outcome, ...] = ("indexed", "skipped", "failed")
        return {
            "database": self.database,
            "generation": self.generation,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "videos": {"found": self.found_videos} | {outcome: self.videos(outcome) for outcome in outcomes},
            "captions": asdict(self.captions),
            "clips": {outcome: len(getattr(self, outcome)) for outcome in outcomes},
            **{outcome: [asdict(entry) for entry in getattr(self, outcome)] for outcome in outcomes},
        }


@dataclass(frozen=True, kw_only=True)
class BuildProgress:
    """A moment of a build. Counts are of clips, and of videos that came to none; `done_videos` of `found_videos`."""

    phase: Phase
    found_videos: int
    done_videos: int
    indexed: int
    committed: int
    skipped: int
    failed: int


class ProgressCallback(Protocol):
    """Hears of progress, from the thread that called the build."""

    def __call__(self, progress: BuildProgress) -> None: ...


class Ledger:
    """Keeps the books while a build runs: which clips each video has still to come, and how each ended."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._open: dict[str, int] = dict.fromkeys(sources, 1)
        self.found_videos = len(self._open)
        self.entries: dict[Outcome, list[ReportEntry]] = {"indexed": [], "skipped": [], "failed": []}

    @property
    def done_videos(self) -> int:
        """Videos all of whose clips have ended."""
        return self.found_videos - len(self._open)

    @property
    def open_sources(self) -> list[str]:
        """Videos that have not ended yet."""
        return list(self._open)

    def expect(self, source: str, clips: int) -> None:
        """A video turned out to have this many clips."""
        self._open[source] = clips

    def end(self, source: str, outcome: Outcome, *, row_id: str | None = None, reason: str = "") -> None:
        """A clip, or a video without clips, ended. Raises InvalidSetting when it had ended already."""
        if source not in self._open:
            raise InvalidSetting(f"Expected {source} to end once, received a second end ({outcome}): this is a bug.")
        self.entries[outcome].append(ReportEntry(source=source, row_id=row_id, outcome=outcome, reason=reason))
        self._open[source] -= 1
        if self._open[source] == 0:
            del self._open[source]

    def sorted(self, outcome: Outcome) -> tuple[ReportEntry, ...]:
        """All entries of one outcome, in an order that depends on no timing."""
        return tuple(sorted(self.entries[outcome], key=lambda entry: (entry.source, entry.row_id or "")))

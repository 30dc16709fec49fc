"""What a build may be asked for, apart from what it reads and where it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from index_builder.captions.captions import CaptionPlan
from index_builder.clips.cutting import Cutting
from index_builder.clips.timeline import DecodeLimits
from index_builder.database.maintain.near_duplicates import check_threshold
from index_builder.database.search.certified_index import IndexPlan
from index_builder.errors import InvalidSetting


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """Choices of a build. Raises InvalidSetting for impossible ones.

    captions: a table (see `read_table`), or more about them (see `CaptionPlan`); without it, what lies beside the
    videos serves. Rows of a table may give clips their windows. workers: decode processes of the local engine, by
    default one a processor. clips_per_video: windows of each longer video, None for as many as fit; with
    `scene_threshold` (27 suits most) of each of its scenes. near_duplicates in (0, 1]: a clip that resembles an earlier
    one at least so much is skipped (see `near_duplicates`). Clips are encoded `batch_clips` at a time, by default as
    many as an accelerator has memory for, else a few; a segment is committed every `commit_clips` clips or
    `commit_sec` seconds. index_plan: how the finished database is indexed.
    """

    captions: CaptionPlan | Path | None = None
    workers: int | None = None
    clips_per_video: int | None = 1
    scene_threshold: float | None = None
    near_duplicates: float | None = None
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    batch_clips: int | None = None
    commit_clips: int = 512
    commit_sec: float = 60.0
    index_plan: IndexPlan | None = None

    def __post_init__(self) -> None:
        if self.commit_clips < 1 or (self.batch_clips is not None and self.batch_clips < 1):
            raise InvalidSetting(
                f"Expected batch_clips and commit_clips of at least 1, received {self.batch_clips}, "
                f"{self.commit_clips}: raise them."
            )
        if self.workers is not None and self.workers < 1:
            raise InvalidSetting(f"Expected at least 1 worker, received {self.workers}: raise --workers.")
        if self.near_duplicates is not None:
            check_threshold(self.near_duplicates)
        self.cutting  # noqa: B018 (it checks its own two)

    @property
    def cutting(self) -> Cutting:
        """How videos are cut into clips."""
        return Cutting(clips_per_video=self.clips_per_video, scene_threshold=self.scene_threshold)

    @property
    def caption_plan(self) -> CaptionPlan:
        """Where captions come from."""
        return self.captions if isinstance(self.captions, CaptionPlan) else CaptionPlan(table=self.captions)

"""How videos are cut into clips: so many windows of each video, or of each of its scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from index_builder.clips.messages import Inspected
from index_builder.clips.scenes import check_scene_threshold
from index_builder.clips.windows import ClipWindow, clip_windows, scene_windows
from index_builder.errors import InvalidSetting


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """clips_per_video: windows of each longer video (or scene), None for as many as fit. scene_threshold: where given,
    videos are cut into scenes first (see `scene_cuts_ms`)."""

    clips_per_video: int | None = 1
    scene_threshold: float | None = None

    def __post_init__(self) -> None:
        if self.clips_per_video is not None and self.clips_per_video < 1:
            raise InvalidSetting(
                f"Expected clips_per_video of at least 1 (or all), received {self.clips_per_video}: raise it."
            )
        if self.scene_threshold is not None:
            check_scene_threshold(self.scene_threshold)

    @property
    def one_clip_a_video(self) -> bool:
        """Whether a video gives exactly one clip, so that a row of it says that all of it is indexed."""
        return self.clips_per_video == 1 and self.scene_threshold is None

    def windows(self, inspected: Inspected, *, clip_seconds: float) -> list[ClipWindow]:
        """The windows of a video."""
        duration_sec, most = inspected.timeline.duration_sec, self.clips_per_video
        if self.scene_threshold is None:
            return clip_windows(duration_sec, clip_seconds=clip_seconds, clips_per_video=most)
        return scene_windows(duration_sec, cuts_ms=inspected.cuts_ms, clip_seconds=clip_seconds, clips_per_video=most)

    def recorded(self, *, clip_seconds: float) -> dict[str, Any]:
        """What the database records with each segment."""
        sampling = {"clip_seconds": float(clip_seconds), "clips_per_video": self.clips_per_video}
        return sampling if self.scene_threshold is None else {**sampling, "scene_threshold": self.scene_threshold}

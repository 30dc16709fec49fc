"""Clip windows: which seconds of a video become a clip, fixed by the video's length alone, so every run agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from index_builder.clips.find import VideoFile
from index_builder.errors import InvalidSetting

MIN_SCENE_MS = 500


@dataclass(frozen=True, order=True)
class ClipWindow:
    """A span of a video in whole milliseconds from its first frame; `end_ms` is exclusive."""

    start_ms: int
    end_ms: int

    @property
    def start_sec(self) -> float:
        """Begin, in seconds."""
        return self.start_ms / 1000

    @property
    def end_sec(self) -> float:
        """End, in seconds."""
        return self.end_ms / 1000


@dataclass(frozen=True, kw_only=True)
class PlannedClip:
    """A clip that is to be decoded; `row_id` as in the database. captions: alternatives, or none."""

    video: VideoFile
    window: ClipWindow
    row_id: str
    captions: tuple[str, ...] = ()


def clip_windows(
    duration_sec: float, *, clip_seconds: float = 2.0, clips_per_video: int | None = 1
) -> list[ClipWindow]:
    """The windows of a video: the whole of it when it is no longer than `clip_seconds`, else the centre windows of
    `clips_per_video` equal parts (None: of as many parts as fit without overlap).

    One clip of a longer video is thus its middle `clip_seconds`. Raises InvalidSetting for a count below 1.
    """
    if clips_per_video is not None and clips_per_video < 1:
        raise InvalidSetting(f"Expected clips_per_video of at least 1 (or all), received {clips_per_video}: raise it.")
    duration_ms, length_ms = round(duration_sec * 1000), round(clip_seconds * 1000)
    if duration_ms <= length_ms:
        return [ClipWindow(0, max(duration_ms, 1))]
    fitting = duration_ms // length_ms
    count = fitting if clips_per_video is None else min(clips_per_video, fitting)
    centres = [(2 * part + 1) * duration_ms // (2 * count) for part in range(count)]
    return [ClipWindow(centre - length_ms // 2, centre - length_ms // 2 + length_ms) for centre in centres]


def scene_windows(
    duration_sec: float,
    *,
    cuts_ms: Sequence[int],
    clip_seconds: float = 2.0,
    clips_per_video: int | None = 1,
) -> list[ClipWindow]:
    """The windows of each scene, as `clip_windows` gives those of a video; `cuts_ms` begin the scenes after the first.

    Scenes under half a second give none, unless there are no others: then the cuts do not count.
    """
    edges = [0, *cuts_ms, round(duration_sec * 1000)]
    scenes = [(start, end) for start, end in pairwise(edges) if end - start >= MIN_SCENE_MS]
    found = []
    for start, end in scenes or [(0, edges[-1])]:
        windows = clip_windows((end - start) / 1000, clip_seconds=clip_seconds, clips_per_video=clips_per_video)
        found += [ClipWindow(start + window.start_ms, start + window.end_ms) for window in windows]
    return found


def cut_short(window: ClipWindow, duration_sec: float) -> ClipWindow | None:
    """The window as far as the video goes; None when it begins behind the video's end."""
    end_ms = round(duration_sec * 1000)
    return ClipWindow(window.start_ms, min(window.end_ms, end_ms)) if window.start_ms < end_ms else None


def row_id(content_sha256: str, window: ClipWindow) -> str:
    """The id of a clip: the first 32 hex digits of its video's sha256, then its span in ms, e.g. `9f..@500-2500`."""
    return f"{content_sha256[:32]}@{window.start_ms}-{window.end_ms}"

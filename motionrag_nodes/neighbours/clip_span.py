"""Which seconds of a video a clip is read from, and in which order its frames are shown, where it is wanted longer or
shorter than it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index_builder.clips.windows import ClipWindow
from index_builder.errors import ClipUnreadable
from motionrag_nodes.neighbours.clip_format import ClipFormat


@dataclass(frozen=True, eq=False)
class ClipSpan:
    """Frames are read at even steps of the window, `read` of them, and shown in the `order` (int [T], places among
    them) at `fps`. `in_time`: the first of them pass as fast as in the video, so that its sound fits."""

    window: ClipWindow
    read: int
    order: np.ndarray
    fps: float
    in_time: bool = True

    @property
    def repeated(self) -> int:
        """Frames shown that no frame was read for."""
        return len(self.order) - self.read


def plan_span(start_sec: float, end_sec: float, *, duration_sec: float, fps: float, wanted: ClipFormat) -> ClipSpan:
    """For a clip from `start_sec` to `end_sec` of a video. Raises ClipUnreadable when it begins behind the end."""
    if start_sec >= duration_sec:
        raise ClipUnreadable(f"its span begins behind the {duration_sec:.3f} s of the video")
    rate = wanted.fps or fps
    clip_sec = min(end_sec, duration_sec) - start_sec
    count = wanted.count(fps=rate, clip_sec=clip_sec)
    length_sec = count / rate
    if clip_sec < length_sec and wanted.short == "slow down":
        return ClipSpan(_window(start_sec, clip_sec), count, np.arange(count), rate, in_time=False)
    span_sec = length_sec
    if clip_sec < length_sec:
        span_sec = min(length_sec, duration_sec) if wanted.short == "more of the video" else clip_sec
    # Around the middle of the clip, as far as the video goes.
    begin = min(max(start_sec + (clip_sec - span_sec) / 2, 0.0), max(duration_sec - span_sec, 0.0))
    read = min(count, max(1, int(span_sec * rate + 1e-3)))
    return ClipSpan(_window(begin, read / rate), read, _order(count, read, wanted), rate)


def _window(start_sec: float, length_sec: float) -> ClipWindow:
    start_ms = round(start_sec * 1000)
    return ClipWindow(start_ms, start_ms + max(1, round(length_sec * 1000)))


def _order(count: int, read: int, wanted: ClipFormat) -> np.ndarray:
    steps = np.arange(count)
    if wanted.short == "hold the last frame" or read == 1:
        return np.minimum(steps, read - 1)
    turned = steps % (2 * (read - 1))
    return np.minimum(turned, 2 * (read - 1) - turned)

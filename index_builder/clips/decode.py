"""Decoding clips in this process: all clips of a video in one pass, every frame checked to be of the time asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index_builder.clips.reading import ClipPixels, Reading
from index_builder.clips.shown_frames import SHOWN_TOLERANCE_SEC, Reader, Shown, readers_of
from index_builder.clips.timeline import DecodeLimits, Timeline, read_timeline
from index_builder.clips.video_bytes import Progress, unheard
from index_builder.clips.windows import clip_windows
from index_builder.errors import ClipUnreadable, InvalidSetting
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)
DECODERS = ("pyav", "decord")
# Packets may promise frames that are never shown (the hidden ones of VP8, the second fields of interlaced pictures).
HIDDEN_FRAMES = 2.5
LEAST_SLACK_SEC = 0.05


@dataclass(frozen=True, kw_only=True)
class DecodedClip:
    """frames: RGB [T, H, W, 3], uint8, or uint16 where a Reading of version 2 asks for them, then with the first frame
    at its own size, uint8 [H, W, 3]; times from the video's first frame; width and height of the video as displayed;
    rotation in degrees counter-clockwise, already applied; decoder: "pyav", "decord" or "pillow"."""

    frames: np.ndarray
    start_sec: float
    end_sec: float
    fps: float
    width: int
    height: int
    rotation: int
    decoder: str
    first_frame: np.ndarray | None = None

    def __post_init__(self) -> None:
        due = np.uint8 if self.first_frame is None else np.uint16
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != due:
            raise InvalidSetting(
                f"Expected {due.__name__} frames [T, H, W, 3], received {self.frames.dtype} {self.frames.shape}: "
                "convert them."
            )

    @property
    def pixels(self) -> np.ndarray | ClipPixels:
        """What an encoder is given."""
        return self.frames if self.first_frame is None else ClipPixels(self.frames, self.first_frame)


def decode_clip(
    path: Path,
    *,
    start_sec: float | None = None,
    end_sec: float | None = None,
    frames: int = 16,
    seconds: float = 2.0,
    short_side: int = 256,
    fps: float | None = None,
    limits: DecodeLimits | None = None,
    decoders: tuple[str, ...] = DECODERS,
    reading: Reading | None = None,
) -> DecodedClip:
    """`frames` frames of a window of the video, evenly spaced in time, the short side resized to `short_side` pixels.

    A `reading` replaces both, and says which frames of the window and how they are resized.

    Without `start_sec` and `end_sec` the window is the video's middle `seconds` (all of a shorter one); `fps` sets the
    window's length to frames / fps instead. The i-th frame is the one on screen at start + i * length / frames: 8 fps
    over 2 s for the defaults, as the paper reads references (arXiv 2509.26391).
    Raises ClipUnreadable with the reason, InvalidSetting for impossible settings.
    """
    if frames < 1 or short_side < 1 or seconds <= 0 or (fps is not None and fps <= 0):
        raise InvalidSetting(
            f"Expected positive frames, seconds, short_side, fps, received {frames}, {seconds}, {short_side}, {fps}: "
            "raise them."
        )
    reading = reading or Reading(frames=frames, short_side=short_side)
    timeline = read_timeline(path, limits=limits or DecodeLimits())
    window = clip_windows(timeline.duration_sec, clip_seconds=frames / fps if fps else seconds)[0]
    start = window.start_sec if start_sec is None else start_sec
    end = window.end_sec if end_sec is None else end_sec
    if not 0 <= start < end or start > timeline.duration_sec + SHOWN_TOLERANCE_SEC:
        raise InvalidSetting(
            f"Expected a window inside the {timeline.duration_sec:.3f} s of {path.name}, received {start} to {end} s: "
            "move it into the video."
        )
    ((_, clip),) = decode_windows(path, timeline, [(start, end)], reading=reading, decoders=decoders)
    if isinstance(clip, ClipUnreadable):
        raise clip
    return clip


def decode_windows(
    path: Path,
    timeline: Timeline,
    windows: Sequence[tuple[float, float]],
    *,
    reading: Reading,
    decoders: tuple[str, ...] = DECODERS,
    progress: Progress = unheard,
) -> Iterator[tuple[int, DecodedClip | ClipUnreadable]]:
    """(place in `windows`, the clip or why there is none) of each window (start and end in seconds), as soon as it is
    known. The video is read once where its first reader does; what one gets wrong is tried with the next."""
    open_places = set(range(len(windows)))
    reasons: dict[int, list[str]] = {place: [] for place in open_places}
    for decoder, reader in readers_of(timeline, decoders):
        if not open_places:
            break
        rows = {place: reading.times(*windows[place], timeline.times_sec) for place in sorted(open_places)}
        for place, result in _one_pass(path, timeline, rows, reading, reader, progress):
            if isinstance(result, str):
                reason = f"{decoder}: {result}"
                if reason not in reasons[place]:
                    reasons[place].append(reason)
                logger.debug("%s of %s: %s", reader.__name__, path, reason)
                continue
            open_places.discard(place)
            start, end = windows[place]
            yield (
                place,
                DecodedClip(
                    frames=result.frames,
                    first_frame=result.first_frame if reading.version == 2 else None,
                    start_sec=start,
                    end_sec=end,
                    fps=timeline.fps,
                    width=timeline.width,
                    height=timeline.height,
                    rotation=timeline.orientation.rotation,
                    decoder=decoder,
                ),
            )
    for place in sorted(open_places):
        yield place, ClipUnreadable("; ".join(reasons[place]) or "no decoder was named")


def _one_pass(
    path: Path,
    timeline: Timeline,
    rows: dict[int, np.ndarray],
    reading: Reading,
    reader: Reader,
    progress: Progress,
) -> Iterator[tuple[int, ClipPixels | str]]:
    """(place, the clip or why there is none) for each of `rows`, the wanted times by place."""
    shape = {"width": timeline.width, "height": timeline.height}
    wanted = sorted((float(time), place, slot) for place, times in rows.items() for slot, time in enumerate(times))
    pictures: dict[int, dict[int, np.ndarray]] = {place: {} for place in rows}
    firsts: dict[int, np.ndarray] = {}
    due, slack_sec = _due(timeline, np.array([time for time, _, _ in wanted])), _slack_sec(timeline)
    failed: set[int] = set()
    shown, resized = None, np.empty(0, dtype=np.uint8)
    try:
        source = reader(path, timeline, np.array([time for time, _, _ in wanted]), progress)
        for (time, place, slot), due_sec, frame in zip(wanted, due, _on_screen(source, wanted), strict=True):
            if place in failed:
                continue
            why = _why_wrong(frame, time, due_sec, slack_sec)
            if why is not None:
                failed.add(place)
                pictures[place].clear()
                yield place, why
                continue
            if frame is not shown:
                shown, resized = frame, reading.sized(frame.pixels(), **shape)
            pictures[place][slot] = resized
            if slot == 0:
                firsts[place] = resized if reading.version == 1 else reading.whole(frame.pixels(), **shape)
            if len(pictures[place]) == len(rows[place]):
                found = pictures.pop(place)
                yield place, ClipPixels(np.stack([found[slot] for slot in range(len(rows[place]))]), firsts.pop(place))
    except ClipUnreadable as error:
        for place in pictures:
            if place not in failed:
                yield place, str(error)


def _on_screen(source: Iterator[Shown], wanted: Sequence[tuple[float, int, int]]) -> Iterator[Shown]:
    """The frame on screen at each wanted time, ascending: the last that comes at or before it, or the very first."""
    current: Shown | None = None
    place = 0
    for frame in source:
        if current is not None and frame.time_sec < current.time_sec - SHOWN_TOLERANCE_SEC:
            raise ClipUnreadable(
                f"its frames come in a wrong order ({current.time_sec:.3f} s, then {frame.time_sec:.3f} s)"
            )
        while current is not None and place < len(wanted) and frame.time_sec > wanted[place][0] + SHOWN_TOLERANCE_SEC:
            yield current
            place += 1
        if place == len(wanted):
            return
        current = frame
    if current is None:
        raise ClipUnreadable("no frame can be decoded")
    for _ in range(place, len(wanted)):
        yield current


def _due(timeline: Timeline, times_sec: np.ndarray) -> np.ndarray:
    """When the frames that are on screen at these times appear, going by the packets."""
    places = np.searchsorted(timeline.times_sec, times_sec + SHOWN_TOLERANCE_SEC, side="right") - 1
    return timeline.times_sec[np.maximum(places, 0)]


def _slack_sec(timeline: Timeline) -> float:
    """By how much a frame may come before the one that is due."""
    usual = float(np.median(np.diff(timeline.times_sec))) if len(timeline.ticks) > 1 else 0.0
    return max(LEAST_SLACK_SEC, HIDDEN_FRAMES * usual)


def _why_wrong(frame: Shown, time_sec: float, due_sec: float, slack_sec: float) -> str | None:
    """Why this is not the frame on screen at `time_sec`, where that of `due_sec` is due; None when it is."""
    if frame.damaged:
        return f"the frame at {time_sec:.3f} s is damaged"
    if not due_sec - slack_sec <= frame.time_sec <= max(time_sec, due_sec) + slack_sec:
        return (
            f"at {time_sec:.3f} s the frame of {due_sec:.3f} s is due, that of {frame.time_sec:.3f} s comes: "
            "the file is cut short or damaged"
        )
    return None

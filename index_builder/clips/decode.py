"""Decoding one clip in this process: decord reads the frames, PyAV takes over where decord fails or disagrees."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from index_builder.clips.timeline import DecodeLimits, Timeline, picture_stream, read_timeline
from index_builder.clips.windows import clip_windows
from index_builder.errors import ClipUnreadable, InvalidSetting

logger = logging.getLogger(__name__)
DECODERS = ("decord", "pyav")
LOG_PREFIX = re.compile(r"\[\d\d:\d\d:\d\d\] \S+?:\d+: ")
# decord keeps times as float32: a third of a millisecond at one hour.
AGREEMENT_SEC = 2e-3
# A frame is on screen at t from its own time on; the tolerance absorbs rounding of both.
SHOWN_TOLERANCE_SEC = 1e-4


@dataclass(frozen=True, kw_only=True)
class DecodedClip:
    """frames: uint8 RGB [T, H, W, 3]; times from the video's first frame; width and height of the video as displayed;
    rotation in degrees counter-clockwise, already applied; decoder: "decord" or "pyav"."""

    frames: np.ndarray
    start_sec: float
    end_sec: float
    fps: float
    width: int
    height: int
    rotation: int
    decoder: str

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != np.uint8:
            raise InvalidSetting(
                f"expected uint8 frames [T, H, W, 3], received {self.frames.dtype} {self.frames.shape}"
            )


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
) -> DecodedClip:
    """`frames` frames of a window of the video, evenly spaced in time, the short side resized to `short_side` pixels.

    Without `start_sec` and `end_sec` the window is the video's middle `seconds` (all of a shorter one); `fps` sets the
    window's length to frames / fps instead. The i-th frame is the one on screen at start + i * length / frames: 8 fps
    over 2 s for the defaults, as the paper reads references (arXiv 2509.26391).
    Raises ClipUnreadable with the reason, InvalidSetting for impossible settings.
    """
    if frames < 1 or short_side < 1 or seconds <= 0 or (fps is not None and fps <= 0):
        raise InvalidSetting(
            f"expected positive frames, seconds, short_side, fps, received {frames}, {seconds}, {short_side}, {fps}"
        )
    limits = limits or DecodeLimits()
    timeline = read_timeline(path, limits=limits)
    window = clip_windows(timeline.duration_sec, clip_seconds=frames / fps if fps else seconds)[0]
    start = window.start_sec if start_sec is None else start_sec
    end = window.end_sec if end_sec is None else end_sec
    if not 0 <= start < end or start > timeline.times_sec[-1] + SHOWN_TOLERANCE_SEC:
        raise InvalidSetting(
            f"expected a window inside the {timeline.duration_sec:.3f} s of {path.name}, received {start} to {end} s"
        )
    wanted_sec = start + (end - start) * np.arange(frames) / frames
    shown = np.searchsorted(timeline.times_sec, wanted_sec + SHOWN_TOLERANCE_SEC, side="right") - 1
    size = _target_size(timeline, short_side)
    pictures, decoder = _decode(path, timeline, np.maximum(shown, 0), size, decoders)
    return DecodedClip(
        frames=pictures,
        start_sec=start,
        end_sec=end,
        fps=timeline.fps,
        width=timeline.width,
        height=timeline.height,
        rotation=timeline.rotation,
        decoder=decoder,
    )


def _decode(
    path: Path, timeline: Timeline, indices: np.ndarray, size: tuple[int, int], decoders
) -> tuple[np.ndarray, str]:
    """Tries the decoders in turn; `indices` point into the timeline, one per output frame, ascending."""
    readers: dict[str, Callable] = {"decord": _decord_frames, "pyav": _pyav_frames}
    reasons = []
    for decoder in decoders:
        try:
            distinct, positions = np.unique(indices, return_inverse=True)
            pictures = [_resize(frame, size) for frame in readers[decoder](path, timeline, distinct)]
            return np.stack(pictures)[positions], decoder
        except ClipUnreadable as error:
            reasons.append(f"{decoder}: {error}")
            logger.debug("%s cannot decode %s: %s", decoder, path, error)
    raise ClipUnreadable("; ".join(reasons))


def _decord_frames(path: Path, timeline: Timeline, indices: np.ndarray) -> Iterator[np.ndarray]:
    """Frames by decord, if its idea of the video is the packets' idea (it is unmaintained and may repeat frames)."""
    try:
        import decord
    except ImportError as error:
        raise ClipUnreadable(f"decord is not installed ({error})") from error
    try:
        reader = decord.VideoReader(str(path), num_threads=1, fault_tol=0)
        times = np.asarray(reader.get_frame_timestamp(range(len(reader))), dtype=np.float64)[:, 0]
        if len(times) != len(timeline.times_sec) or np.abs(times - times[0] - timeline.times_sec).max() > AGREEMENT_SEC:
            raise ClipUnreadable(
                f"its timeline of {len(times)} frames differs from the packets' {len(timeline.times_sec)}"
            )
        turned = timeline.rotation % 180 != 0
        height, width = timeline.coded_height, timeline.coded_width
        expected = (width, height, 3) if turned else (height, width, 3)
        for index in indices:
            frame = reader[int(index)].asnumpy()
            # decord guesses the channels from the padded row length: narrow turned videos come back with four.
            if frame.shape != expected:
                raise ClipUnreadable(f"its frame has shape {frame.shape} where {expected} is expected")
            yield frame
    except (
        decord.DECORDError,
        decord.DECORDLimitReachedError,
        RuntimeError,
        AssertionError,
        IndexError,
        StopIteration,
    ) as error:
        raise ClipUnreadable(_plain_decord(error)) from error


def _plain_decord(error: BaseException) -> str:
    """decord's message without its clock times and source lines."""
    lines = LOG_PREFIX.sub("", str(error)).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _pyav_frames(path: Path, timeline: Timeline, indices: np.ndarray) -> Iterator[np.ndarray]:
    """Frames by PyAV: from the key frame before the first wanted one, each the last frame shown at its time."""
    wanted = list(timeline.times_sec[indices] + timeline.origin_sec)
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream = picture_stream(container)
            if indices[0] > 0:
                container.seek(int(wanted[0] / stream.time_base), stream=stream, backward=True)
            yield from _frames_at(container.decode(stream), wanted, timeline.rotation, path)
    except (av.FFmpegError, OSError, ValueError, EOFError) as error:
        raise ClipUnreadable(str(getattr(error, "strerror", None) or error)) from error


def _frames_at(decoded, wanted_sec: list[float], rotation: int, path: Path) -> Iterator[np.ndarray]:
    remaining, last_time = list(wanted_sec), None
    current: av.VideoFrame | None = None
    for frame in _whole_frames(decoded, path):
        time = frame.time if frame.time is not None else last_time
        while remaining and current is not None and time is not None and time > remaining[0] + SHOWN_TOLERANCE_SEC:
            yield _upright(current, rotation)
            remaining.pop(0)
        if not remaining:
            return
        current, last_time = frame, time
    # What is left is on screen at the end of the stream, or was lost with the end of a damaged one.
    for time in remaining:
        if current is None or last_time is None or time > last_time + SHOWN_TOLERANCE_SEC:
            raise ClipUnreadable(f"decoding ends before the frame at {time:.3f} s: the file is cut short or damaged")
        yield _upright(current, rotation)


def _whole_frames(decoded, path: Path) -> Iterator[av.VideoFrame]:
    for frame in decoded:
        if frame.is_corrupt:
            raise ClipUnreadable("a frame of the window is damaged")
        yield frame


def _upright(frame: av.VideoFrame, rotation: int) -> np.ndarray:
    return np.rot90(frame.to_ndarray(format="rgb24"), k=rotation // 90)


def _target_size(timeline: Timeline, short_side: int) -> tuple[int, int]:
    """(width, height) with the short side at `short_side`, the other to scale."""
    scale = short_side / min(timeline.width, timeline.height)
    return max(short_side, round(timeline.width * scale)), max(short_side, round(timeline.height * scale))


def _resize(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if frame.shape[1::-1] == size:
        return np.ascontiguousarray(frame)
    # Pillow's filters widen with the reduction, which is what "antialias" means.
    return np.asarray(Image.fromarray(np.ascontiguousarray(frame)).resize(size, Image.Resampling.BICUBIC))

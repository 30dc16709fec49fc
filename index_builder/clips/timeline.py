"""A video's timeline: what its packets say about frames, size and rotation, read by demuxing, without decoding."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from index_builder.errors import ClipUnreadable, InvalidSetting

logger = logging.getLogger(__name__)
# libav writes its own complaints about damaged files to stderr; ours carry the path and reason instead.
av.logging.set_level(av.logging.PANIC)


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """What a video may ask for before it is refused: pixels of a frame, seconds of video, seconds and bytes of work."""

    max_pixels: int = 8192 * 4352
    max_aspect: float = 16.0
    max_duration_sec: float = 12 * 3600.0
    seconds_per_clip: float = 60.0
    memory_bytes: int = 6 << 30

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_aspect", "max_duration_sec", "seconds_per_clip", "memory_bytes"):
            if getattr(self, name) <= 0:
                raise InvalidSetting(f"expected a positive {name}, received {getattr(self, name)}: raise it")


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """times_sec: float64 [frames], presentation times, ascending, the first is 0. Sizes are as displayed (rotation
    and pixel aspect applied); `coded_*` as stored. `rotation` in degrees counter-clockwise, a multiple of 90.
    `origin_sec` is the container's time of the first frame."""

    times_sec: np.ndarray
    origin_sec: float
    duration_sec: float
    fps: float
    width: int
    height: int
    coded_width: int
    coded_height: int
    rotation: int


def read_timeline(path: Path, *, limits: DecodeLimits) -> Timeline:
    """Demuxes `path` and checks it against `limits`. Raises ClipUnreadable with the reason."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream = picture_stream(container)
            _check_size(stream, limits)
            times, last_duration = _packet_times(container, stream, limits)
            rate = stream.average_rate or stream.guessed_rate
        rotation, aspect, (coded_width, coded_height) = _first_frame_facts(path)
    except (av.FFmpegError, OSError, ValueError, EOFError) as error:
        raise ClipUnreadable(f"not a readable video: {_plain(error)}") from error
    if not times:
        raise ClipUnreadable("the video stream holds no frames")
    ordered = np.unique(np.asarray(times, dtype=np.float64))
    if last_duration <= 0:
        last_duration = float(np.median(np.diff(ordered))) if len(ordered) > 1 else float(1 / rate) if rate else 0.04
    duration = float(ordered[-1] - ordered[0]) + last_duration
    fps = len(ordered) / duration if duration > 0 else float(rate or 25)
    width, height = max(1, round(coded_width * aspect)), coded_height
    if rotation % 180:
        width, height = height, width
    if max(width, height) > limits.max_aspect * min(width, height):
        raise ClipUnreadable(f"a frame of {width}x{height} is more than {limits.max_aspect:g} times longer than wide")
    return Timeline(
        times_sec=ordered - ordered[0],
        origin_sec=float(ordered[0]),
        duration_sec=duration,
        fps=fps,
        width=width,
        height=height,
        coded_width=coded_width,
        coded_height=coded_height,
        rotation=rotation,
    )


def picture_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The first stream of moving pictures (cover art is none). Raises ClipUnreadable when there is none."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            if stream.codec_context is None:
                raise ClipUnreadable("its video stream is damaged or of an unknown codec")
            # One thread: workers are the parallelism, and frame threads multiply memory.
            stream.codec_context.thread_count = 1
            return stream
    raise ClipUnreadable("it holds no video stream" + (" (audio only)" if container.streams.audio else ""))


def _check_size(stream: av.VideoStream, limits: DecodeLimits) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.max_pixels:
        raise ClipUnreadable(f"a frame has {width}x{height} pixels, over the limit of {limits.max_pixels} pixels")


def _packet_times(container, stream: av.VideoStream, limits: DecodeLimits) -> tuple[list[float], float]:
    """Presentation times of all shown packets in seconds, and the duration of the one shown last."""
    times: list[float] = []
    last_time, last_duration = -np.inf, 0.0
    try:
        for packet in container.demux(stream):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is None or packet.is_discard or packet.size == 0:
                continue
            time = float(stamp * packet.time_base)
            times.append(time)
            if time > last_time:
                last_time, last_duration = time, float((packet.duration or 0) * packet.time_base)
            if time - times[0] > limits.max_duration_sec:
                raise ClipUnreadable(f"it runs for over {limits.max_duration_sec:g} s, the limit: cut it into parts")
    except (av.FFmpegError, EOFError) as error:
        # A file cut short still shows what came before the cut.
        logger.debug("demuxing ended early: %s", error)
    return times, last_duration


def _first_frame_facts(path: Path) -> tuple[int, float, tuple[int, int]]:
    """Rotation, pixel aspect and size, which only a decoded frame states reliably."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = picture_stream(container)
        for frame in container.decode(stream):
            aspect = float(stream.sample_aspect_ratio or 1) or 1.0
            rotation = round(frame.rotation / 90) * 90 % 360
            return rotation, aspect if 0.1 < aspect < 10 else 1.0, (frame.width, frame.height)
    raise ClipUnreadable("no frame of the video stream can be decoded")


def _plain(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)

"""A video's timeline: what its packets say about frames, size and rotation, read by demuxing once, without decoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from index_builder.clips import animated_webp
from index_builder.clips.encryption import refuse_encrypted
from index_builder.clips.orientation import Orientation, orientation_of
from index_builder.clips.packets import VideoPacket, steady_packets, video_stream
from index_builder.clips.video_bytes import ContentHash, Progress, open_video, unheard
from index_builder.errors import ClipUnreadable, InvalidSetting
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)
# Their index says where a time is; elsewhere seeking lies (MPEG streams), or there is little to win.
INDEXED_FORMATS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
# FFmpeg numbers their packets as they are stored, not as they are shown.
UNTIMED_FORMATS = ("avi",)
PICTURES = ("attached_pic", "still_image", "timed_thumbnails")
# A stream with fewer pictures, beside one with more, is a cover or chapter marks.
MOVING_SHARE = 0.1
# What FFmpeg takes for raw streams that do not say.
DEFAULT_RATE = Fraction(25)
DEFAULT_TIME_BASE = Fraction(1, 1_000_000)  # FFmpeg's own, where a stream names none


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """What a video may ask for before it is refused: pixels of a frame, seconds of video, bytes of memory; and for how
    many seconds a worker may make no headway."""

    max_pixels: int = 8192 * 4352
    max_aspect: float = 16.0
    max_duration_sec: float = 12 * 3600.0
    stalled_sec: float = 60.0
    memory_bytes: int = 6 << 30

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_aspect", "max_duration_sec", "stalled_sec", "memory_bytes"):
            if getattr(self, name) <= 0:
                raise InvalidSetting(f"Expected a positive {name}, received {getattr(self, name)}: raise it.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """ticks: int64 [frames], presentation times in units of `tick_sec`, ascending, the first is 0 and lies at
    `origin_ticks` of the container's time. Sizes are as displayed (orientation and pixel aspect applied); `coded_*` as
    stored. `stream` is the place among the container's streams. `indexed`: the container knows where a time is;
    `timed`: it knows when a frame is shown, not only which comes next."""

    ticks: np.ndarray
    tick_sec: float
    origin_ticks: int
    duration_sec: float
    fps: float
    width: int
    height: int
    coded_width: int
    coded_height: int
    orientation: Orientation
    stream: int
    indexed: bool
    timed: bool

    @property
    def times_sec(self) -> np.ndarray:
        """float64 [frames]: when each frame appears, from the first."""
        return self.ticks * self.tick_sec

    @property
    def is_webp(self) -> bool:
        """Whether Pillow reads it: FFmpeg knows no animated WebP."""
        return self.stream < 0


@dataclass
class _Stamps:
    """Of one stream's packets, in ticks: when they are shown, as far as known, when decoded, and for how long."""

    pts: list[int] = field(default_factory=list)
    dts: list[int] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    packets: int = 0
    last: int | None = None
    last_duration: int = 0

    def add(self, packet: VideoPacket) -> None:
        self.packets += 1
        self.durations.append(packet.duration or 0)
        if packet.dts is not None:
            self.dts.append(packet.dts)
        if packet.pts is not None:
            self.pts.append(packet.pts)
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None and (self.last is None or stamp > self.last):
            self.last, self.last_duration = stamp, packet.duration or 0


def read_timeline(
    path: Path, *, limits: DecodeLimits, progress: Progress = unheard, content: ContentHash | None = None
) -> Timeline:
    """Demuxes `path` and checks it against `limits`; `content` hashes what is read. Raises ClipUnreadable."""
    if animated_webp.is_animated_webp(path):
        return _webp_timeline(path, limits)
    try:
        with open_video(path, progress=progress, content=content) as container:
            streams = picture_streams(container)
            for stream in streams:
                _check_pixels(stream.codec_context.width, stream.codec_context.height, limits)
            stamps = _read_stamps(path, container, streams, limits)
            stream = _moving(streams, stamps)
            facts = stamps[stream.index]
            rate = stream.average_rate or stream.guessed_rate
            indexed, untimed = container.format.name in INDEXED_FORMATS, container.format.name in UNTIMED_FORMATS
            place, time_base = stream.index, stream.time_base or DEFAULT_TIME_BASE
        first, aspect, origin = _first_frame(path, place, progress)
    except (av.FFmpegError, OSError, ValueError, EOFError) as error:
        raise ClipUnreadable(f"not a readable video: {plain(error)}") from error
    timed = not untimed and len(facts.pts) == facts.packets
    if timed:
        # What comes before the first frame that can be decoded is never shown.
        ticks = np.unique(np.asarray(facts.pts, dtype=np.int64))
        ticks = ticks[ticks >= origin] if origin is not None and (ticks >= origin).any() else ticks
    else:
        ticks = _counted(facts, rate, time_base)
    last: int | Fraction = facts.last_duration
    if last <= 0:
        usual = round(float(np.median(np.diff(ticks)))) if len(ticks) > 1 else 0
        last = usual or 1 / ((rate or DEFAULT_RATE) * time_base)
    duration = float((int(ticks[-1] - ticks[0]) + last) * time_base)
    _check_duration(duration, limits)
    _check_pixels(first.width, first.height, limits)
    orientation = orientation_of(first)
    width, height = max(1, round(first.width * aspect)), first.height
    if orientation.lies:
        width, height = height, width
    _check_aspect(width, height, limits)
    return Timeline(
        ticks=ticks - ticks[0],
        tick_sec=float(time_base),
        origin_ticks=int(ticks[0]),
        duration_sec=duration,
        fps=len(ticks) / duration,
        width=width,
        height=height,
        coded_width=first.width,
        coded_height=first.height,
        orientation=orientation,
        stream=place,
        indexed=indexed,
        timed=timed,
    )


def picture_streams(container: av.container.InputContainer) -> list[av.VideoStream]:
    """The streams that may hold moving pictures (cover art does not). Raises ClipUnreadable when there is none."""
    streams = [stream for stream in container.streams.video if not _is_picture(stream)]
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        if streams:
            raise ClipUnreadable("its video stream is damaged or of an unknown codec")
        raise ClipUnreadable("it holds no video stream" + (" (audio only)" if container.streams.audio else ""))
    for stream in known:
        # One thread: workers are the parallelism, and frame threads multiply memory.
        stream.codec_context.thread_count = 1
    return known


def _is_picture(stream: av.VideoStream) -> bool:
    return any(stream.disposition & getattr(av.stream.Disposition, name) for name in PICTURES)


def _moving(streams: list[av.VideoStream], stamps: dict[int, _Stamps]) -> av.VideoStream:
    """The first stream that is no mere cover. Raises ClipUnreadable when none holds a frame."""
    most = max(stamps[stream.index].packets for stream in streams)
    if not most:
        raise ClipUnreadable("the video stream holds no frames")
    return next(stream for stream in streams if stamps[stream.index].packets >= max(1, MOVING_SHARE * most))


def _read_stamps(
    path: Path, container: InputContainer, streams: list[av.VideoStream], limits: DecodeLimits
) -> dict[int, _Stamps]:
    stamps = {stream.index: _Stamps() for stream in streams}
    try:
        for packet, stream in steady_packets(container, streams):
            if packet.is_discard or packet.size == 0:
                continue
            found = stamps[stream.index]
            if not found.packets:
                refuse_encrypted(path, packet, container.format.name)
            found.add(packet)
            if found.pts:
                _check_duration((found.pts[-1] - found.pts[0]) * float(packet.time_base), limits)
    except (av.FFmpegError, EOFError) as error:
        # A file cut short still shows what came before the cut.
        logger.debug("demuxing ended early: %s", error)
    return stamps


def _counted(facts: _Stamps, rate: Fraction | None, time_base: Fraction) -> np.ndarray:
    """Times by the order of frames, where no packet says when it is shown: int64 [packets], ascending."""
    if len(facts.dts) == facts.packets and len(set(facts.dts)) == facts.packets:
        return np.sort(np.asarray(facts.dts, dtype=np.int64))
    steps = np.asarray(facts.durations, dtype=np.int64)
    if (steps <= 0).any():
        steps[:] = max(1, round(1 / ((rate or DEFAULT_RATE) * time_base)))
    return np.concatenate([[0], np.cumsum(steps[:-1])])


def _first_frame(path: Path, place: int, progress: Progress) -> tuple[av.VideoFrame, float, int | None]:
    """The first frame that can be decoded, its pixel aspect and its time in ticks: what no header states reliably."""
    with open_video(path, progress=progress) as container:
        stream = video_stream(container, place)
        stream.codec_context.thread_count = 1
        for packet, _ in steady_packets(container, [stream]):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in frames:
                aspect = float(stream.sample_aspect_ratio or 1) or 1.0
                return frame, aspect if 0.1 < aspect < 10 else 1.0, frame.pts
    raise ClipUnreadable("no frame of the video stream can be decoded")


def _webp_timeline(path: Path, limits: DecodeLimits) -> Timeline:
    starts_ms, duration_ms, (width, height) = animated_webp.read_times(path)
    _check_pixels(width, height, limits)
    _check_aspect(width, height, limits)
    _check_duration(duration_ms / 1000, limits)
    return Timeline(
        ticks=np.asarray(starts_ms, dtype=np.int64),
        tick_sec=1e-3,
        origin_ticks=0,
        duration_sec=duration_ms / 1000,
        fps=len(starts_ms) * 1000 / duration_ms,
        width=width,
        height=height,
        coded_width=width,
        coded_height=height,
        orientation=Orientation(),
        stream=-1,
        indexed=False,
        timed=True,
    )


def _check_pixels(width: int, height: int, limits: DecodeLimits) -> None:
    if width * height > limits.max_pixels:
        raise ClipUnreadable(f"a frame has {width}x{height} pixels, over the limit of {limits.max_pixels} pixels")


def _check_aspect(width: int, height: int, limits: DecodeLimits) -> None:
    if max(width, height) > limits.max_aspect * min(width, height):
        raise ClipUnreadable(f"a frame of {width}x{height} is more than {limits.max_aspect:g} times longer than wide")


def _check_duration(duration_sec: float, limits: DecodeLimits) -> None:
    if duration_sec > limits.max_duration_sec:
        raise ClipUnreadable(f"it runs for over {limits.max_duration_sec:g} s, the limit: cut it into parts")


def plain(error: BaseException) -> str:
    """The message of an error of FFmpeg or the system, without its number."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)

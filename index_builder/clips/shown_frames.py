"""Frames of a video in the order in which they are shown, each with its time: by PyAV (by seeking, by time, by count),
by decord, by Pillow. Whoever takes them checks the times: decoders and containers are not to be trusted.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter

from index_builder.clips import animated_webp
from index_builder.clips.orientation import UPRIGHT, Orientation
from index_builder.clips.packets import VideoPacket, steady_packets, video_stream
from index_builder.clips.timeline import Timeline, plain
from index_builder.clips.video_bytes import Progress, open_video
from index_builder.errors import ClipUnreadable

# A frame is on screen at t from its own time on; the tolerance absorbs rounding of both.
SHOWN_TOLERANCE_SEC = 1e-4
# Shorter gaps are decoded: a seek goes back to the key frame before, often further than this.
SEEK_GAP_SEC = 8.0
# decord keeps times as float32: a third of a millisecond at one hour.
AGREEMENT_SEC = 2e-3
LOG_PREFIX = re.compile(r"\[\d\d:\d\d:\d\d\] \S+?:\d+: ")


@dataclass(frozen=True)
class Shown:
    """A decoded frame: its time from the video's first, its orientation, whether the decoder had to guess some, and
    what converts it: one for all frames of a pass, since making one costs more than a conversion."""

    time_sec: float
    picture: av.VideoFrame | np.ndarray
    orientation: Orientation = UPRIGHT
    damaged: bool = False
    converter: VideoReformatter | None = None

    def pixels(self) -> np.ndarray:
        """uint8 RGB [H, W, 3], upright."""
        if isinstance(self.picture, np.ndarray):
            return self.picture
        return self.orientation.upright(self._converted(self.picture, interpolation="BICUBIC"))

    def small(self, short_side: int) -> np.ndarray:
        """uint8 RGB [H, W, 3] as stored, the short side about `short_side`, quickly rather than well."""
        if isinstance(self.picture, np.ndarray):
            step = max(1, min(self.picture.shape[:2]) // short_side)
            return np.ascontiguousarray(self.picture[::step, ::step])
        scale = min(1.0, short_side / min(self.picture.width, self.picture.height))
        width, height = (max(8, round(length * scale)) for length in (self.picture.width, self.picture.height))
        return self._converted(self.picture, interpolation="BILINEAR", width=width, height=height)

    def _converted(self, picture: av.VideoFrame, **wanted: Any) -> np.ndarray:
        converter = self.converter or VideoReformatter()
        return converter.reformat(picture, format="rgb24", **wanted, **_one_thread()).to_ndarray()


@cache
def _one_thread() -> dict[str, int]:
    """What keeps a converter to the worker's own processor. PyAV once knew no such word, and then used one thread."""
    try:
        VideoReformatter().reformat(av.VideoFrame(2, 2, "yuv420p"), format="rgb24", threads=1)
    except TypeError:
        return {}
    return {"threads": 1}


Reader = Callable[[Path, Timeline, np.ndarray, Progress], Iterator[Shown]]


def readers_of(timeline: Timeline, decoders: tuple[str, ...]) -> list[tuple[str, Reader]]:
    """(decoder, reader) in the order in which to try them for this video."""
    if timeline.is_webp:
        return [("pillow", webp_frames)]
    pyav: list[Reader] = [counted_frames]
    if timeline.timed:
        pyav.insert(0, timed_frames)
    if timeline.timed and timeline.indexed:
        pyav.insert(0, sought_frames)
    found: list[tuple[str, Reader]] = []
    for decoder in decoders:
        found += [("pyav", reader) for reader in pyav] if decoder == "pyav" else [("decord", decord_frames)]
    return found


def sought_frames(path: Path, timeline: Timeline, wanted_sec: np.ndarray, progress: Progress) -> Iterator[Shown]:
    """From the key frame before each stretch of wanted times. Raises ClipUnreadable where seeking lands too late."""
    upcoming, here = deque(wanted_sec), -np.inf
    with _opened(path, timeline, progress) as (container, stream):
        while True:
            landing = None
            if upcoming and upcoming[0] - max(here, 0.0) > SEEK_GAP_SEC:
                landing = upcoming[0]
                target = timeline.origin_ticks + int(landing / timeline.tick_sec)
                container.seek(target, stream=stream, backward=True)
            for shown in _timed(_decoded(container, stream), timeline):
                if landing is not None and shown.time_sec > landing + SHOWN_TOLERANCE_SEC:
                    raise ClipUnreadable(f"seeking {landing:.3f} s lands at {shown.time_sec:.3f} s: its index is wrong")
                landing = None
                if shown.time_sec <= here:
                    continue  # the key frame lies before what is decoded already
                here = shown.time_sec
                yield shown
                while upcoming and upcoming[0] + SHOWN_TOLERANCE_SEC < here:
                    upcoming.popleft()
                if upcoming and upcoming[0] - here > SEEK_GAP_SEC:
                    break
            else:
                return


def timed_frames(path: Path, timeline: Timeline, wanted_sec: np.ndarray, progress: Progress) -> Iterator[Shown]:
    """Every frame from the first on, with the time that its packet gives it."""
    with _opened(path, timeline, progress) as (container, stream):
        yield from _timed(_decoded(container, stream), timeline)


def counted_frames(path: Path, timeline: Timeline, wanted_sec: np.ndarray, progress: Progress) -> Iterator[Shown]:
    """Every frame from the first on: the n-th that is shown has the n-th time."""
    times, converter = timeline.times_sec, VideoReformatter()
    with _opened(path, timeline, progress) as (container, stream):
        for place, (frame, damaged) in enumerate(_decoded(container, stream)):
            if place >= len(times):
                raise ClipUnreadable(f"more frames come than its {len(times)} packets promise")
            yield Shown(times[place], frame, timeline.orientation, damaged, converter)


def decord_frames(path: Path, timeline: Timeline, wanted_sec: np.ndarray, progress: Progress) -> Iterator[Shown]:
    """The frames on screen at the wanted times, by decord, if its idea of the video is the packets' idea: it is
    unmaintained, seeks where nothing can be sought, may repeat frames and knows not every orientation."""
    try:
        import decord
    except ImportError as error:
        raise ClipUnreadable(f"decord is not installed ({error})") from error
    if not timeline.indexed or timeline.orientation.rotation or timeline.orientation.mirrored:
        raise ClipUnreadable("it cannot be trusted with this kind of video")
    try:
        reader = decord.VideoReader(str(path), num_threads=1, fault_tol=0)
        times = np.asarray(reader.get_frame_timestamp(range(len(reader))), dtype=np.float64)[:, 0]
        due = timeline.times_sec
        if len(times) != len(due) or np.abs(times - times[0] - due).max() > AGREEMENT_SEC:
            raise ClipUnreadable(f"its timeline of {len(times)} frames differs from the packets' {len(due)}")
        shown = np.searchsorted(due, wanted_sec + SHOWN_TOLERANCE_SEC, side="right") - 1
        for index in np.unique(np.maximum(shown, 0)):
            frame = reader[int(index)].asnumpy()
            # decord guesses the channels from the padded row length.
            if frame.shape != (timeline.coded_height, timeline.coded_width, 3):
                raise ClipUnreadable(f"its frame has shape {frame.shape}")
            progress()
            yield Shown(float(due[index]), frame)
    except (
        decord.DECORDError,
        decord.DECORDLimitReachedError,
        RuntimeError,
        AssertionError,
        IndexError,
        StopIteration,
    ) as error:
        raise ClipUnreadable(_plain_decord(error)) from error


def webp_frames(path: Path, timeline: Timeline, wanted_sec: np.ndarray, progress: Progress) -> Iterator[Shown]:
    """Every frame of an animated WebP."""
    for time, frame in zip(timeline.times_sec, animated_webp.read_frames(path), strict=False):
        progress()
        yield Shown(float(time), frame)


class _opened:
    """(container, stream) of a timeline's pictures; FFmpeg's errors become ClipUnreadable."""

    def __init__(self, path: Path, timeline: Timeline, progress: Progress) -> None:
        self._opening, self._place = open_video(path, progress=progress), timeline.stream

    def __enter__(self) -> tuple[InputContainer, av.VideoStream]:
        try:
            container = self._opening.__enter__()
            stream = video_stream(container, self._place)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise ClipUnreadable(plain(error)) from error
        stream.codec_context.thread_count = 1
        return container, stream

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._opening.__exit__(None, None, None)
        if isinstance(error, av.FFmpegError | OSError | ValueError):
            raise ClipUnreadable(plain(error)) from error


def _decoded(container: InputContainer, stream: av.VideoStream) -> Iterator[tuple[av.VideoFrame, bool]]:
    """(frame, damaged) in the order in which they are shown; after a packet that cannot be decoded, frames count as
    damaged up to the next key frame."""
    lost = False
    for packet in _packets(container, stream):
        try:
            frames = stream.codec_context.decode(packet)
        except av.error.InvalidDataError:
            lost = True
            continue
        for frame in frames:
            lost = lost and not frame.key_frame
            yield frame, lost or frame.is_corrupt


def _packets(container: InputContainer, stream: av.VideoStream) -> Iterator[VideoPacket | None]:
    """Up to the last, None, which flushes the decoder, also where a file cut short ends in the middle of one."""
    try:
        for packet, _ in steady_packets(container, [stream]):
            if packet.size:
                yield packet
    except (av.FFmpegError, EOFError):
        pass
    yield None


def _timed(decoded: Iterator[tuple[av.VideoFrame, bool]], timeline: Timeline) -> Iterator[Shown]:
    converter = VideoReformatter()
    for frame, damaged in decoded:
        if frame.pts is None:
            raise ClipUnreadable("a frame comes without a time")
        time_sec = (frame.pts - timeline.origin_ticks) * timeline.tick_sec
        yield Shown(time_sec, frame, timeline.orientation, damaged, converter)


def _plain_decord(error: BaseException) -> str:
    """decord's message without its clock times and source lines."""
    lines = LOG_PREFIX.sub("", str(error)).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__

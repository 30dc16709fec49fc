"""What travels between the builder and its decode workers: JSON lines and raw pixels, nothing that runs code.

A worker decodes files from strangers, so the builder trusts no byte of its answers: no pickle, bounded lengths.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from index_builder.clips.decode import DecodedClip
from index_builder.clips.find import VideoFile
from index_builder.clips.orientation import Orientation
from index_builder.clips.reading import Reading
from index_builder.clips.sound import MAX_CHANNELS, Sound
from index_builder.clips.thumbnails import MAX_THUMBNAIL_BYTES
from index_builder.clips.timeline import DecodeLimits, Timeline
from index_builder.clips.windows import ClipWindow, PlannedClip

_PICTURES = ("frames", "first_frame")
MAX_LINE_BYTES = 64 << 20
MAX_TICKS_BYTES = 256 << 20
MAX_PIXEL_BYTES = 2 << 30


@dataclass(frozen=True, kw_only=True)
class InspectTask:
    """Asks for the content hash and the timeline of a video, and for its cuts where a `scene_threshold` is given."""

    video: VideoFile
    scene_threshold: float | None = None

    def __len__(self) -> int:
        return 1


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodeTask:
    """Asks for clips of one video, in the order of their times; the file must still be the one that was inspected."""

    clips: tuple[PlannedClip, ...]
    timeline: Timeline
    reading: Reading
    decoders: tuple[str, ...]

    @property
    def video(self) -> VideoFile:
        """That all the clips are of."""
        return self.clips[0].video

    def __len__(self) -> int:
        return len(self.clips)


@dataclass(frozen=True, kw_only=True, eq=False)
class SoundTask:
    """Asks for the sound of a span, in seconds from the video's first frame, which lies at `origin_sec` of the
    container's time; the file must still be the one that was inspected."""

    video: VideoFile
    start_sec: float
    end_sec: float
    origin_sec: float

    def __len__(self) -> int:
        return 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspected:
    """content_sha256: 64 hex digits over the whole file; cuts_ms: when each scene after the first begins, in ms from
    the first frame."""

    video: VideoFile
    content_sha256: str
    timeline: Timeline
    cuts_ms: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """A clip and its JPEG strip."""

    planned: PlannedClip
    clip: DecodedClip
    thumbnail: bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """The sound of a span."""

    video: VideoFile
    sound: Sound


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Why a video (then `planned` is None) or one of its clips gave nothing."""

    video: VideoFile
    planned: PlannedClip | None = None
    reason: str


Task = InspectTask | DecodeTask | SoundTask
Answer = Inspected | Decoded | Heard | Failed


class BrokenAnswer(ConnectionError):
    """A worker's answer ended early or is not of the agreed form: the worker is dead or out of its mind."""


def send_task(stream: BinaryIO, task: Task, limits: DecodeLimits) -> None:
    """Builder to worker: one JSON line."""
    video = {"path": task.video.source, "size_bytes": task.video.size_bytes, "mtime_ns": task.video.mtime_ns}
    message: dict[str, Any] = {"kind": type(task).__name__, "video": video, "limits": asdict(limits)}
    if isinstance(task, InspectTask):
        message["scene_threshold"] = task.scene_threshold
    elif isinstance(task, SoundTask):
        message["span_sec"] = (task.start_sec, task.end_sec, task.origin_sec)
    else:
        message |= {"reading": task.reading.to_dict(), "decoders": task.decoders}
        message["windows_ms"] = [(clip.window.start_ms, clip.window.end_ms) for clip in task.clips]
        message["timeline"] = _timeline_message(task.timeline)
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def receive_task(stream: BinaryIO) -> tuple[Task, DecodeLimits] | None:
    """In the worker: the next task, None when the builder is gone. Row ids are the builder's own business."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    message = json.loads(line)
    path, limits = Path(message["video"].pop("path")), DecodeLimits(**message["limits"])
    video = VideoFile(path=path, root=path.parent, **message["video"])
    if message["kind"] == "InspectTask":
        return InspectTask(video=video, scene_threshold=message["scene_threshold"]), limits
    if message["kind"] == "SoundTask":
        start_sec, end_sec, origin_sec = message["span_sec"]
        return SoundTask(video=video, start_sec=start_sec, end_sec=end_sec, origin_sec=origin_sec), limits
    task = DecodeTask(
        clips=tuple(PlannedClip(video=video, window=ClipWindow(*w), row_id="") for w in message["windows_ms"]),
        timeline=_timeline(message["timeline"]),
        reading=Reading.from_dict(message["reading"]),
        decoders=tuple(message["decoders"]),
    )
    return task, limits


def send_headway(stream: BinaryIO) -> None:
    """Worker to builder: the task takes long, but it advances."""
    stream.write(b'{"kind": "Headway"}\n')
    stream.flush()


def send_answer(stream: BinaryIO, answer: Answer, place: int | None = None) -> None:
    """Worker to builder: one JSON line, then for a clip its pixels and its thumbnail. `place`: of the task's clips."""
    body: list[bytes | memoryview] = []
    message: dict[str, Any] = {"kind": type(answer).__name__, "place": place}
    if isinstance(answer, Decoded):
        pictures = [answer.clip.frames, *([] if answer.clip.first_frame is None else [answer.clip.first_frame])]
        message["clip"] = {name: value for name, value in vars(answer.clip).items() if name not in _PICTURES}
        message |= {"shapes": [picture.shape for picture in pictures], "thumbnail_bytes": len(answer.thumbnail)}
        body = [*(np.ascontiguousarray(picture).data.cast("B") for picture in pictures), answer.thumbnail]
    elif isinstance(answer, Inspected):
        message |= {"content_sha256": answer.content_sha256, "cuts_ms": answer.cuts_ms}
        message["timeline"] = _timeline_message(answer.timeline)
    elif isinstance(answer, Heard):
        message |= {"shape": answer.sound.samples.shape, "rate": answer.sound.rate}
        body = [np.ascontiguousarray(answer.sound.samples, dtype="<f4").data.cast("B")]
    else:
        message["reason"] = answer.reason
    stream.write(json.dumps(message).encode() + b"\n")
    for part in body:
        stream.write(part)
    stream.flush()


def receive_answer(stream: BinaryIO, task: Task) -> Answer | None:
    """In the builder: the worker's next answer to `task`, None for a sign of headway.

    Raises BrokenAnswer when it is cut off or malformed.
    """
    line = stream.readline(MAX_LINE_BYTES)
    if not line:
        raise BrokenAnswer("it ended without an answer")
    try:
        message = json.loads(line)
        kind, planned = message["kind"], None
        if kind == "Headway":
            return None
        if isinstance(task, DecodeTask):
            place = int(message["place"])
            if not 0 <= place < len(task.clips):
                raise BrokenAnswer(f"a clip {place} of {len(task.clips)}")
            planned = task.clips[place]
        if kind == "Failed":
            return Failed(video=task.video, planned=planned, reason=str(message["reason"]))
        if isinstance(task, SoundTask):
            return Heard(video=task.video, sound=_receive_sound(stream, message))
        if planned is None:
            return Inspected(
                video=task.video,
                content_sha256=str(message["content_sha256"]),
                timeline=_timeline(message["timeline"]),
                cuts_ms=tuple(int(cut) for cut in message["cuts_ms"]),
            )
        return _receive_clip(stream, message, planned)
    except (ValueError, KeyError, TypeError, IndexError, zlib.error) as error:
        raise BrokenAnswer(f"malformed answer: {error}") from error


def _receive_clip(stream: BinaryIO, message: dict[str, Any], planned: PlannedClip) -> Decoded:
    shapes = [tuple(int(length) for length in shape) for shape in message["shapes"]]
    thumbnail_bytes = int(message["thumbnail_bytes"])
    if [len(shape) for shape in shapes] not in ([4], [4, 3]) or not 0 <= thumbnail_bytes <= MAX_THUMBNAIL_BYTES:
        raise BrokenAnswer(f"a clip of shape {shapes} with a thumbnail of {thumbnail_bytes} bytes")
    # With the first frame at its own size the frames have 16 bits.
    kinds = (np.uint8,) if len(shapes) == 1 else (np.uint16, np.uint8)
    pictures = [_read_pixels(stream, shape, kind) for shape, kind in zip(shapes, kinds, strict=True)]
    clip = DecodedClip(frames=pictures[0], first_frame=pictures[1] if pictures[1:] else None, **message["clip"])
    return Decoded(planned=planned, clip=clip, thumbnail=_read_exactly(stream, thumbnail_bytes))


def _receive_sound(stream: BinaryIO, message: dict[str, Any]) -> Sound:
    channels, samples = (int(length) for length in message["shape"])
    size = channels * samples * 4
    if not 1 <= channels <= MAX_CHANNELS or samples < 1 or size > MAX_PIXEL_BYTES:
        raise BrokenAnswer(f"a sound of shape {(channels, samples)}")
    values = np.frombuffer(_read_exactly(stream, size), dtype="<f4").reshape(channels, samples)
    return Sound(samples=values, rate=int(message["rate"]))


def _read_pixels(stream: BinaryIO, shape: tuple[int, ...], kind: type) -> np.ndarray:
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    if shape[-1] != 3 or min(shape) < 1 or size > MAX_PIXEL_BYTES:
        raise BrokenAnswer(f"a clip of shape {shape}")
    return np.frombuffer(_read_exactly(stream, size), dtype=kind).reshape(shape)


def _timeline_message(timeline: Timeline) -> dict[str, Any]:
    """Steps between frames repeat, so that even hours of them are short when compressed."""
    steps = np.diff(timeline.ticks, prepend=0).astype("<i8")
    packed = base64.b64encode(zlib.compress(steps.tobytes(), level=1)).decode("ascii")
    return {**vars(timeline), "ticks": packed, "orientation": asdict(timeline.orientation)}


def _timeline(message: dict[str, Any]) -> Timeline:
    unpacked = zlib.decompressobj().decompress(base64.b64decode(message["ticks"]), MAX_TICKS_BYTES)
    ticks = np.cumsum(np.frombuffer(unpacked, dtype="<i8"))
    if not len(ticks) or not float(message["duration_sec"]) > 0:
        raise ValueError("a timeline without frames")
    return Timeline(**{**message, "ticks": ticks, "orientation": Orientation(**message["orientation"])})


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise BrokenAnswer(f"{len(data)} of {size} bytes came")
    return data

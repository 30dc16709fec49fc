"""What travels between the builder and its decode workers: JSON lines and raw pixels, nothing that runs code.

A worker decodes files from strangers, so the builder trusts no byte of its answers: no pickle, bounded lengths.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import BinaryIO

import numpy as np

from index_builder.clips.decode import DecodedClip
from index_builder.clips.timeline import DecodeLimits

MAX_LINE_BYTES = 1 << 20
MAX_PIXEL_BYTES = 2 << 30
MAX_THUMBNAIL_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class InspectTask:
    """Asks for the content hash and the length of a video, and for its cuts where a `scene_threshold` is given."""

    path: str
    size_bytes: int
    mtime_ns: int
    scene_threshold: float | None = None


@dataclass(frozen=True, kw_only=True)
class DecodeTask:
    """Asks for one clip of a video whose size and time of change are still those that were inspected."""

    path: str
    size_bytes: int
    mtime_ns: int
    start_sec: float
    end_sec: float
    frames: int
    short_side: int
    decoders: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """content_sha256: 64 hex digits over the whole file; duration_sec from its packets; cuts_ms: when each scene after
    the first begins, in ms from the first frame."""

    content_sha256: str
    duration_sec: float
    cuts_ms: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A clip's frames and its JPEG strip."""

    clip: DecodedClip
    thumbnail: bytes


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Why a task gave nothing."""

    reason: str


Task = InspectTask | DecodeTask
Answer = Inspected | Decoded | Failed


class BrokenAnswer(ConnectionError):
    """A worker's answer ended early or is not of the agreed form: the worker is dead or out of its mind."""


def send_task(stream: BinaryIO, task: Task, limits: DecodeLimits) -> None:
    """Builder to worker: one JSON line."""
    message = {"kind": type(task).__name__, "task": asdict(task), "limits": asdict(limits)}
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def receive_task(stream: BinaryIO) -> tuple[Task, DecodeLimits] | None:
    """In the worker: the next task, None when the builder is gone."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    message = json.loads(line)
    kind = {"InspectTask": InspectTask, "DecodeTask": DecodeTask}[message["kind"]]
    return kind(**message["task"]), DecodeLimits(**message["limits"])


def send_answer(stream: BinaryIO, answer: Answer) -> None:
    """Worker to builder: one JSON line, then for a clip its pixels and its thumbnail."""
    body: list[bytes | memoryview] = []
    if isinstance(answer, Decoded):
        clip = {name: value for name, value in vars(answer.clip).items() if name != "frames"}
        pixels = np.ascontiguousarray(answer.clip.frames)
        message = {"clip": clip, "shape": pixels.shape, "thumbnail_bytes": len(answer.thumbnail)}
        body = [pixels.data.cast("B"), answer.thumbnail]
    else:
        message = asdict(answer)
    stream.write(json.dumps({"kind": type(answer).__name__, **message}).encode() + b"\n")
    for part in body:
        stream.write(part)
    stream.flush()


def receive_answer(stream: BinaryIO) -> Answer:
    """In the builder: the worker's answer. Raises BrokenAnswer when it is cut off or malformed."""
    line = stream.readline(MAX_LINE_BYTES)
    if not line:
        raise BrokenAnswer("it ended without an answer")
    try:
        message = json.loads(line)
        kind = message.pop("kind")
        if kind == "Inspected":
            return Inspected(
                content_sha256=str(message["content_sha256"]),
                duration_sec=float(message["duration_sec"]),
                cuts_ms=tuple(int(cut) for cut in message["cuts_ms"]),
            )
        if kind == "Failed":
            return Failed(reason=str(message["reason"]))
        shape = tuple(int(length) for length in message["shape"])
        pixel_bytes, thumbnail_bytes = int(np.prod(shape, dtype=np.int64)), int(message["thumbnail_bytes"])
        plausible = len(shape) == 4 and shape[3] == 3 and min(shape) >= 1
        if not plausible or pixel_bytes > MAX_PIXEL_BYTES or thumbnail_bytes > MAX_THUMBNAIL_BYTES:
            raise BrokenAnswer(f"a clip of shape {shape} with a thumbnail of {thumbnail_bytes} bytes")
        frames = np.frombuffer(_read_exactly(stream, pixel_bytes), dtype=np.uint8).reshape(shape)
        return Decoded(
            clip=DecodedClip(frames=frames, **message["clip"]), thumbnail=_read_exactly(stream, thumbnail_bytes)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenAnswer(f"malformed answer: {error}") from error


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise BrokenAnswer(f"{len(data)} of {size} bytes came")
    return data

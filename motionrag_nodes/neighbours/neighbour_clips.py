"""Neighbours as clips: their frames and sound, read from their videos as the next model wants them.

Any video model that takes reference or control clips can so be served, without weights of ours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.find import stamp
from index_builder.clips.messages import Inspected
from index_builder.clips.reading import Reading
from index_builder.clips.sound import Sound
from index_builder.clips.stored_clips import inspect_indexed
from index_builder.clips.timeline import DecodeLimits
from index_builder.errors import ClipUnreadable, InvalidSetting
from motionrag_nodes.errors import NeighbourClipMissing
from motionrag_nodes.neighbours.clip_format import ClipFormat
from motionrag_nodes.neighbours.clip_span import ClipSpan, plan_span
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours

Progress = Callable[[int, int], None]
MAX_CACHED_BYTES = 1 << 30
_Key = tuple[str, str, int, int, float, float, ClipFormat]


@dataclass(frozen=True, eq=False)
class NeighbourClip:
    """frames: uint8 RGB [T, H, W, 3], shown at `fps`; sound of the same length, or None; `span` says which part of the
    video they are."""

    neighbour: Neighbour
    frames: np.ndarray
    fps: float
    sound: Sound | None
    span: ClipSpan


_read: OrderedDict[_Key, NeighbourClip] = OrderedDict()


def neighbour_clips(
    neighbours: Neighbours,
    *,
    wanted: ClipFormat,
    rank: int = 1,
    count: int = 1,
    sources: AllowedFolders,
    limits: DecodeLimits | None = None,
    progress: Progress | None = None,
) -> list[NeighbourClip]:
    """The clips of `count` neighbours from `rank` on, best first; fewer where fewer are left.

    Videos are read in a process that can be killed, only below `sources`, and only with the content that was indexed;
    what was read is remembered. `progress` hears clips read and clips in all, often; what it raises ends the work.
    Raises InvalidSetting for a rank that no clip has, NeighbourClipMissing when a video cannot be read.
    """
    if not 1 <= rank <= len(neighbours) or count < 1:
        raise InvalidSetting(
            f"Expected a rank from 1 to {len(neighbours)} (so many neighbours there are) and at least one clip, "
            f"received rank {rank} and {count} clips: lower rank, or retrieve more."
        )
    items = neighbours.items[rank - 1 : rank - 1 + count]
    found: list[NeighbourClip] = []

    def tell() -> None:
        if progress is not None:
            progress(len(found), len(items))

    with ClipReader(limits=limits, waiting=tell) as reader:
        for item in items:
            tell()
            try:
                found.append(_clip(reader, item, _path(item, neighbours, sources), wanted))
            except ClipUnreadable as error:
                raise _missing(item, error) from error
        tell()
    return found


def _missing(item: Neighbour, why: ClipUnreadable) -> NeighbourClipMissing:
    return NeighbourClipMissing(
        f"Expected the video of neighbour #{item.rank} at {item.source}, but {why}: where it was moved or renamed, "
        "motionrag index relocate DATABASE FOLDER finds it in FOLDER by its content; or choose another rank, or "
        "exclude it in Retrieve Neighbours."
    )


def _path(item: Neighbour, neighbours: Neighbours, sources: AllowedFolders) -> Path:
    if not Path(item.source).is_absolute() and item.source == item.row_id:
        raise ClipUnreadable("it was given as frames, which are in no file: connect those frames instead")
    return sources.checked(item.source, roots=neighbours.roots)


def _clip(reader: ClipReader, item: Neighbour, path: Path, wanted: ClipFormat) -> NeighbourClip:
    size_bytes, mtime_ns = stamp(path.stat())
    key = (str(path), item.row_id, size_bytes, mtime_ns, item.start_sec, item.end_sec, wanted)
    if key not in _read:
        # A clip of the user's own has its path for an id, and no content that it must have.
        own = item.row_id == item.source
        inspected = reader.inspect(path) if own else inspect_indexed(reader, path, item.row_id)
        _read[key] = _decoded(reader, inspected, item, wanted)
        while len(_read) > 1 and sum(clip.frames.nbytes for clip in _read.values()) > MAX_CACHED_BYTES:
            _read.popitem(last=False)
    _read.move_to_end(key)
    return _read[key]


def _decoded(reader: ClipReader, inspected: Inspected, item: Neighbour, wanted: ClipFormat) -> NeighbourClip:
    timeline = inspected.timeline
    span = plan_span(item.start_sec, item.end_sec, duration_sec=timeline.duration_sec, fps=timeline.fps, wanted=wanted)
    size = wanted.size(width=timeline.width, height=timeline.height)
    scale = _scale(timeline.width, timeline.height, size, wanted)
    short_side = max(1, round(min(timeline.width, timeline.height) * scale))
    clip = reader.clip(inspected, span.window, Reading(frames=span.read, short_side=short_side))
    # Fitted before frames are repeated: a clip that is shown twice is fitted once.
    frames = np.stack([_fitted(frame, size, wanted) for frame in clip.frames])[span.order]
    return NeighbourClip(item, frames, span.fps, _sound(reader, inspected, span), span)


def _sound(reader: ClipReader, inspected: Inspected, span: ClipSpan) -> Sound | None:
    if not span.in_time:
        return None
    try:
        sound = reader.sound(inspected, span.window)
    except ClipUnreadable:
        return None
    return sound.lasting(len(span.order) / span.fps)


def _scale(width: int, height: int, size: tuple[int, int], wanted: ClipFormat) -> float:
    scales = size[0] / width, size[1] / height
    return max(scales) if wanted.fit == "crop" else min(scales)


def _fitted(frame: np.ndarray, size: tuple[int, int], wanted: ClipFormat) -> np.ndarray:
    """uint8 [H, W, 3], nearly as large as wanted, to (width, height) exactly."""
    height, width = frame.shape[:2]
    scale = _scale(width, height, size, wanted)
    scaled = max(1, round(width * scale)), max(1, round(height * scale))
    picture = Image.fromarray(frame)
    if picture.size != scaled:
        picture = picture.resize(scaled, Image.Resampling.BICUBIC)
    field = Image.new("RGB", size)
    field.paste(picture, ((size[0] - scaled[0]) // 2, (size[1] - scaled[1]) // 2))
    return np.asarray(field)


def described(clips: Sequence[NeighbourClip]) -> str:
    """A line a clip, for people."""
    return "\n".join(
        f"#{clip.neighbour.rank}  {clip.neighbour.score:.3f}  {clip.frames.shape[2]} x {clip.frames.shape[1]}, "
        f"{len(clip.frames)} frames at {clip.fps:g} fps{_note(clip)}  {clip.neighbour.caption or ''}".rstrip()
        for clip in clips
    )


def _note(clip: NeighbourClip) -> str:
    notes = [] if clip.span.in_time else ["slowed down"]
    notes += [f"{clip.span.repeated} repeated"] if clip.span.repeated else []
    notes += ["with sound"] if clip.sound is not None else []
    return f" ({', '.join(notes)})" if notes else ""

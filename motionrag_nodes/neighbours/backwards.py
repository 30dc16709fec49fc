"""Neighbours played backwards: the same frames, another motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.reading import ClipPixels, frames_of, in_eight_bits
from index_builder.clips.stored_clips import inspect_indexed
from index_builder.clips.windows import ClipWindow
from index_builder.errors import ClipUnreadable
from motionrag_nodes.errors import NeighbourClipMissing
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours

if TYPE_CHECKING:
    from index_builder.clips.allowed_folders import AllowedFolders
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

Progress = Callable[[int, int], None]


def played_backwards(
    neighbours: Neighbours, *, encoder: PackClipEncoder, sources: AllowedFolders, progress: Progress | None = None
) -> Neighbours:
    """The same clips from their last frame to their first, read from their videos below `sources` and encoded again.

    `progress` hears clips read and clips in all, often; what it raises ends the work. Raises NeighbourClipMissing.
    """
    clips: list[np.ndarray | ClipPixels] = []

    def tell() -> None:
        if progress is not None:
            progress(len(clips), len(neighbours))

    with ClipReader(waiting=tell) as reader:
        for item in neighbours.items:
            tell()
            try:
                path = sources.checked(item.source, roots=neighbours.roots)
                clips.append(_backwards(reader, item, path, encoder))
            except ClipUnreadable as error:
                raise NeighbourClipMissing(
                    f"Expected the video of neighbour #{item.rank} at {item.source} to play it backwards, but {error}: "
                    "find it with motionrag index relocate DATABASE FOLDER, exclude it, or compare without."
                ) from error
    first_frames = [in_eight_bits(frames_of(clip))[0] for clip in clips]
    return replace(
        neighbours,
        motion_tokens=encoder.motion_tokens(clips).cpu().clone(),
        appearance_tokens=encoder.appearance_tokens(first_frames).cpu().clone(),
    )


def _backwards(reader: ClipReader, item: Neighbour, path: Path, encoder: PackClipEncoder) -> np.ndarray | ClipPixels:
    # A clip of the user's own has its path for an id, and no content that it must have.
    own = item.row_id == item.source
    inspected = reader.inspect(path) if own else inspect_indexed(reader, path, item.row_id)
    window = ClipWindow(round(item.start_sec * 1000), round(item.end_sec * 1000))
    clip = reader.clip(inspected, window, encoder.reading)
    frames = np.ascontiguousarray(clip.frames[::-1])
    return frames if clip.first_frame is None else ClipPixels(frames, in_eight_bits(frames)[0])

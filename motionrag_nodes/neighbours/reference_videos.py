"""The user's own clips as neighbours, without a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.reading import first_frame_of, frames_of, in_eight_bits
from index_builder.clips.thumbnails import thumbnail_strip
from index_builder.errors import ClipUnreadable, InputNotFound, InvalidSetting
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder, check_clips
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours

if TYPE_CHECKING:
    from index_builder.clips.decode import DecodedClip
    from index_builder.clips.reading import ClipPixels
    from motionrag_nodes.motion_tokens.clip_models import ClipModels


def encode_reference_videos(
    pack: ClipModels,
    references: Sequence[str | Path | np.ndarray],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Neighbours:
    """The user's own clips as neighbours, without a database; the first given counts as the most similar.

    A reference is a video file, of which the middle 2 s are read in a process that can be killed, or a clip's frames
    uint8 RGB [T, H, W, 3]. `progress` hears references read and references in all, also while one is waited for: what
    it raises ends the reading.

    Raises InvalidSetting: no reference was given. InputNotFound: a video cannot be decoded, is no regular file, or
    goes over a limit of decoding. ShapeMismatch: frames have another shape or type.
    """
    if not references:
        raise InvalidSetting("Expected at least one reference video, received none: choose a video or connect frames.")
    encoder = PackClipEncoder(pack)
    clips: list[np.ndarray | ClipPixels] = []
    items: list[Neighbour] = []

    def tell() -> None:
        if progress is not None:
            progress(len(clips), len(references))

    with ExitStack() as stack:
        reader = None
        for rank, reference in enumerate(references, start=1):
            tell()
            pixels: np.ndarray | ClipPixels
            if isinstance(reference, np.ndarray):
                pixels, source, start_sec, end_sec = reference, f"frames {rank}", 0.0, len(reference) / 8
            else:
                reader = reader or stack.enter_context(ClipReader(waiting=tell))
                decoded = _middle(reader, Path(reference), encoder)
                pixels, source = decoded.pixels, str(reference)
                start_sec, end_sec = decoded.start_sec, decoded.end_sec
            check_clips([pixels], [None])
            clips.append(pixels)
            items.append(
                Neighbour(
                    rank=rank,
                    row_id=source,
                    score=1.0,
                    text_score=None,
                    frame_score=None,
                    caption=None,
                    source=source,
                    start_sec=start_sec,
                    end_sec=end_sec,
                    thumbnail=thumbnail_strip(in_eight_bits(frames_of(pixels))),
                )
            )
    try:
        return Neighbours(
            items=tuple(items),
            motion_tokens=encoder.motion_tokens(clips).cpu().clone(),
            appearance_tokens=encoder.appearance_tokens([first_frame_of(clip) for clip in clips]).cpu().clone(),
            tokens_fingerprint=encoder.tokens_fingerprint,
        )
    finally:
        pack.release()


def _middle(reader: ClipReader, path: Path, encoder: PackClipEncoder) -> DecodedClip:
    try:
        return reader.middle(reader.inspect(path), seconds=encoder.clip_seconds, reading=encoder.reading)
    except ClipUnreadable as error:
        raise InputNotFound(
            f"Expected a video that can be read, but {path.name} cannot be ({error}): choose another."
        ) from error

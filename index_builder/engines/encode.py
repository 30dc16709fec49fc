"""Encoding decoded clips into what a database stores: rows with their embeddings and tokens, checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from index_builder.clips.messages import Decoded, Failed
from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.commit.segment_rows import joined
from index_builder.database.format.rows import ClipRow
from index_builder.database.format.tokens import StoredTokens
from index_builder.errors import InvalidSetting
from index_builder.features.alternatives import encode_alternatives, joined_caption
from index_builder.features.clip_encoder import ClipEncoder, ClipFeatures
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)
FEATURES = ("text", "frame", "motion_tokens", "appearance_tokens")


def encode_clips(encoder: ClipEncoder, decoded: Sequence[Decoded]) -> tuple[RowBatch | None, list[Failed]]:
    """Encodes a batch into rows, in parts where the device has no memory for all; None means that every clip failed.

    Clips whose features are not finite fail, and one for which alone there is no memory. Raises InvalidSetting for
    features of wrong shapes.
    """
    batches, failed = [], []
    for part, features in _encoded(encoder, list(decoded)):
        if features is None:
            failed.append(_failed(part[0], "encoding it needs more memory than the device has: try --device cpu"))
            continue
        keep = []
        for place, clip in enumerate(part):
            if all(np.isfinite(getattr(features, name)[place]).all() for name in FEATURES):
                keep.append(place)
            else:
                failed.append(_failed(clip, "its features are not finite (inf or nan): check the pack's weights"))
        if keep:
            batches.append(_rows(part, features, keep))
    return joined(batches) if batches else None, failed


def _encoded(encoder: ClipEncoder, decoded: list[Decoded]) -> Iterator[tuple[list[Decoded], ClipFeatures | None]]:
    """The clips in as few parts as fit into the device's memory, with their features; None for one that does not."""
    captions = [joined_caption(clip.planned.captions) for clip in decoded]
    features = None
    try:
        features = encoder.encode([clip.clip.pixels for clip in decoded], captions)
    except torch.cuda.OutOfMemoryError:
        logger.info("the device has no memory to encode %d clips at a time", len(decoded))
    if features is None:
        torch.cuda.empty_cache()
        half = len(decoded) // 2
        if not half:
            yield decoded, None
            return
        yield from _encoded(encoder, decoded[:half])
        yield from _encoded(encoder, decoded[half:])
        return
    _check_shapes(encoder, features, len(decoded))
    for place, clip in enumerate(decoded):
        if len(clip.planned.captions) > 1:
            features.text[place] = encode_alternatives(encoder, clip.planned.captions)
    yield decoded, features


def _rows(decoded: Sequence[Decoded], features: ClipFeatures, keep: Sequence[int]) -> RowBatch:
    return RowBatch(
        rows=[_row(decoded[place], joined_caption(decoded[place].planned.captions)) for place in keep],
        text=features.text[keep],
        frame=features.frame[keep],
        tokens=StoredTokens(features.motion_tokens[keep], features.appearance_tokens[keep]),
    )


def _failed(clip: Decoded, reason: str) -> Failed:
    return Failed(video=clip.planned.video, planned=clip.planned, reason=reason)


def _check_shapes(encoder: ClipEncoder, features: ClipFeatures, count: int) -> None:
    frame = (count, encoder.embedding_dim)
    text = frame if encoder.text_space is None else (count, encoder.text_space.dim)
    tokens = (count, encoder.tokens_per_clip, encoder.token_dim)
    for name, due in zip(FEATURES, (text, frame, tokens, tokens), strict=True):
        if getattr(features, name).shape != due:
            raise InvalidSetting(
                f"Expected {name} of shape {due} from encoder {encoder.name}, received "
                f"{getattr(features, name).shape}: its sizes do not fit its outputs."
            )


def _row(decoded: Decoded, caption: str | None) -> ClipRow:
    planned, clip = decoded.planned, decoded.clip
    return ClipRow(
        id=planned.row_id,
        source=planned.video.source,
        start_sec=planned.window.start_sec,
        end_sec=planned.window.end_sec,
        fps=clip.fps,
        width=clip.width,
        height=clip.height,
        caption=caption,
        thumbnail=decoded.thumbnail,
        source_size_bytes=planned.video.size_bytes,
        source_mtime_ns=planned.video.mtime_ns,
    )

"""Encoding decoded clips into what a database stores: rows with their embeddings and tokens, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.format.rows import ClipRow
from index_builder.database.format.tokens import StoredTokens
from index_builder.engines.engine import FailedClip, PlannedClip, ReadyClip
from index_builder.errors import InvalidSetting
from index_builder.features.alternatives import encode_alternatives, joined_caption
from index_builder.features.clip_encoder import ClipEncoder, ClipFeatures

FEATURES = ("text", "frame", "motion_tokens", "appearance_tokens")


@dataclass(frozen=True, kw_only=True)
class EncodedClip:
    """A clip ready to be committed: its row, and its embeddings [E] and tokens [L, D] in the order of FEATURES."""

    planned: PlannedClip
    row: ClipRow
    features: tuple[np.ndarray, ...]


def encode_clips(encoder: ClipEncoder, ready: Sequence[ReadyClip]) -> tuple[list[EncodedClip], list[FailedClip]]:
    """Encodes a batch; clips whose features are not finite fail. Raises InvalidSetting for features of wrong shapes."""
    captions = [joined_caption(clip.planned.captions) for clip in ready]
    features = encoder.encode([clip.clip.frames for clip in ready], captions)
    _check_shapes(encoder, features, len(ready))
    for place, clip in enumerate(ready):
        if len(clip.planned.captions) > 1:
            features.text[place] = encode_alternatives(encoder, clip.planned.captions)
    encoded, failed = [], []
    for place, clip in enumerate(ready):
        values = tuple(getattr(features, name)[place] for name in FEATURES)
        if all(np.isfinite(value).all() for value in values):
            row = _row(clip, captions[place])
            encoded.append(EncodedClip(planned=clip.planned, row=row, features=values))
        else:
            reason = "its features are not finite (inf or nan): check the pack's weights"
            failed.append(FailedClip(video=clip.planned.video, planned=clip.planned, reason=reason))
    return encoded, failed


def row_batch(encoded: Sequence[EncodedClip]) -> RowBatch:
    """At least one clip as rows to commit together."""
    text, frame, motion, appearance = map(np.stack, zip(*(clip.features for clip in encoded), strict=True))
    return RowBatch(
        rows=tuple(clip.row for clip in encoded), text=text, frame=frame, tokens=StoredTokens(motion, appearance)
    )


def _check_shapes(encoder: ClipEncoder, features: ClipFeatures, count: int) -> None:
    frame = (count, encoder.embedding_dim)
    text = frame if encoder.text_space is None else (count, encoder.text_space.dim)
    tokens = (count, encoder.tokens_per_clip, encoder.token_dim)
    for name, due in zip(FEATURES, (text, frame, tokens, tokens), strict=True):
        if getattr(features, name).shape != due:
            raise InvalidSetting(
                f"expected {name} of shape {due} from encoder {encoder.name}, received "
                f"{getattr(features, name).shape}: its sizes do not fit its outputs"
            )


def _row(ready: ReadyClip, caption: str | None) -> ClipRow:
    planned, clip = ready.planned, ready.clip
    return ClipRow(
        id=planned.row_id,
        source=planned.video.source,
        start_sec=planned.window.start_sec,
        end_sec=planned.window.end_sec,
        fps=clip.fps,
        width=clip.width,
        height=clip.height,
        caption=caption,
        thumbnail=ready.thumbnail,
        source_size_bytes=planned.video.size_bytes,
        source_mtime_ns=planned.video.mtime_ns,
    )

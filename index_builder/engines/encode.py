"""Encoding decoded clips into what a database stores: rows with their embeddings and tokens, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index_builder.clips.messages import Decoded, Failed
from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.format.rows import ClipRow
from index_builder.database.format.tokens import StoredTokens
from index_builder.errors import InvalidSetting
from index_builder.features.alternatives import encode_alternatives, joined_caption
from index_builder.features.clip_encoder import ClipEncoder, ClipFeatures

FEATURES = ("text", "frame", "motion_tokens", "appearance_tokens")


def encode_clips(encoder: ClipEncoder, decoded: Sequence[Decoded]) -> tuple[RowBatch | None, list[Failed]]:
    """Encodes a batch into rows; clips whose features are not finite fail, and None means that all did.

    Raises InvalidSetting for features of wrong shapes.
    """
    captions = [joined_caption(clip.planned.captions) for clip in decoded]
    features = encoder.encode([clip.clip.pixels for clip in decoded], captions)
    _check_shapes(encoder, features, len(decoded))
    for place, clip in enumerate(decoded):
        if len(clip.planned.captions) > 1:
            features.text[place] = encode_alternatives(encoder, clip.planned.captions)
    failed, keep = [], []
    for place, clip in enumerate(decoded):
        if all(np.isfinite(getattr(features, name)[place]).all() for name in FEATURES):
            keep.append(place)
        else:
            reason = "its features are not finite (inf or nan): check the pack's weights"
            failed.append(Failed(video=clip.planned.video, planned=clip.planned, reason=reason))
    if not keep:
        return None, failed
    batch = RowBatch(
        rows=[_row(decoded[place], captions[place]) for place in keep],
        text=features.text[keep],
        frame=features.frame[keep],
        tokens=StoredTokens(features.motion_tokens[keep], features.appearance_tokens[keep]),
    )
    return batch, failed


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

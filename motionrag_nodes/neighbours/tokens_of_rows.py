"""Tokens of neighbours: read from the database where it stores this pack's, else encoded from the source videos."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index_builder.errors import ClipUnreadable, InvalidSetting, TokensNotStored

if TYPE_CHECKING:
    import torch

    from index_builder.database.format.rows import ClipRow
    from index_builder.database.search.reader import MotionDatabase
    from index_builder.features.clip_encoder import ClipEncoder

logger = logging.getLogger(__name__)
# (row id, tokens fingerprint) -> motion and appearance tokens float16 [L, D]: 100 kB a row at the published sizes.
_encoded: OrderedDict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = OrderedDict()
MAX_ENCODED = 512
MID_GREY = 128


def tokens_of_rows(
    database: MotionDatabase, rows: Sequence[ClipRow], *, encoder: ClipEncoder
) -> tuple[torch.Tensor, torch.Tensor]:
    """Motion and appearance tokens of K rows, float32 [K, L, D] each, as `encoder` makes them.

    Where the database stores those of another pack, the rows' videos are decoded and encoded now, which takes seconds
    rather than milliseconds; it is logged, and remembered within this process. A video that is gone or unreadable
    counts as a mid-grey clip, as in the published code.
    """
    import torch

    try:
        stored = database.tokens([row.id for row in rows], fingerprint=encoder.tokens_fingerprint)
        motion, appearance = stored.motion_tokens, stored.appearance_tokens
    except TokensNotStored as reason:
        motion, appearance = _encode_on_demand(rows, encoder, reason)
    # The copies belong to the caller, who may write to them.
    return torch.from_numpy(motion.astype(np.float32)), torch.from_numpy(appearance.astype(np.float32))


def _encode_on_demand(rows: Sequence[ClipRow], encoder: ClipEncoder, reason: TokensNotStored):
    missing = [row for row in rows if (row.id, encoder.tokens_fingerprint) not in _encoded]
    if missing:
        logger.warning("encoding %d neighbours on demand from their videos: %s", len(missing), reason)
    found = []
    for row in rows:
        key = (row.id, encoder.tokens_fingerprint)
        tokens = _encoded.get(key)
        if tokens is None:
            frames = _frames(row, encoder)
            features = encoder.encode([_mid_grey(encoder) if frames is None else frames], [row.caption])
            tokens = features.motion_tokens[0], features.appearance_tokens[0]
            if frames is not None:
                _encoded[key] = tokens
        found.append(tokens)
    while len(_encoded) > MAX_ENCODED:
        _encoded.popitem(last=False)
    return np.stack([motion for motion, _ in found]), np.stack([appearance for _, appearance in found])


def _mid_grey(encoder: ClipEncoder) -> np.ndarray:
    return np.full((encoder.clip_frames, encoder.short_side, encoder.short_side, 3), MID_GREY, dtype=np.uint8)


def _frames(row: ClipRow, encoder: ClipEncoder) -> np.ndarray | None:
    """The clip as the encoder wants it, uint8 [T, H, W, 3]; None where its video cannot be read."""
    from index_builder.clips.decode import decode_clip

    try:
        return decode_clip(
            Path(row.source),
            start_sec=row.start_sec,
            end_sec=row.end_sec,
            frames=encoder.clip_frames,
            short_side=encoder.short_side,
        ).frames
    except (ClipUnreadable, InvalidSetting) as error:
        logger.warning("%s cannot be read (%s); a mid-grey clip stands in for it", row.source, error)
        return None

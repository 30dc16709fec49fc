"""More like this: the clips that move as a given clip does, alone or together with a prompt and a picture.

Similarities of motion, words and pictures have scales of their own, so what is combined is the ranks: reciprocal rank
fusion (Cormack et al., SIGIR 2009).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from index_builder.errors import InvalidSetting
from motionrag_nodes.errors import NeighboursNotFound
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours
from motionrag_nodes.neighbours.retrieve import check_encoder, left_out_by
from motionrag_nodes.neighbours.tokens_of_rows import tokens_of_rows

if TYPE_CHECKING:
    from index_builder.clips.allowed_folders import AllowedFolders
    from index_builder.database.search.reader import Hit, MotionDatabase
    from index_builder.features.clip_encoder import ClipEncoder

# The constant of the paper, and how many of each ranking are looked at.
RANK_OFFSET, POOL = 60, 200


def clip_motion(name: str, *, database: MotionDatabase, encoder: ClipEncoder) -> tuple[np.ndarray, tuple[str, ...]]:
    """Motion tokens [L, D] of the clip that `name` names, and the rows that are itself: a row's id, or the path, file
    name or stem of an indexed video with one clip; else a video file, of which the middle is read in a
    process that can be killed, and the rows of its content, if it was indexed under another name.

    Raises InvalidSetting, ClipUnreadable, TokensNotStored."""
    ids = database.ids_called(name)
    if len(ids) > 1:
        listed = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
        raise InvalidSetting(f"Expected one clip, found {len(ids)} by the name {name}: name one by its id ({listed}).")
    if ids:
        return database.tokens(ids, fingerprint=encoder.tokens_fingerprint).motion_tokens[0], tuple(ids)
    if not os.path.exists(name):
        raise InvalidSetting(
            f"Expected a clip of {database.path.name} or a video file, received {name}: give a row id, path, file name "
            "or stem, as motionrag index search shows them."
        )
    from index_builder.clips.clip_reader import ClipReader

    with ClipReader() as reader:
        inspected = reader.inspect(Path(name))
        decoded = reader.middle(inspected, seconds=encoder.clip_seconds, reading=encoder.reading)
    own = database.ids_of_content(inspected.content_sha256)
    return encoder.encode([decoded.pixels], [None]).motion_tokens[0], tuple(own)


def retrieve_like(
    database: MotionDatabase,
    *,
    encoder: ClipEncoder,
    motion_tokens: np.ndarray,
    prompt: str | None = None,
    image: np.ndarray | None = None,
    top_k: int = 9,
    min_score: float = -1.0,
    exclude: Sequence[str] = (),
    sources: AllowedFolders | None = None,
) -> Neighbours:
    """The `top_k` clips whose motion is most like `motion_tokens` [L, D], most similar first; with a prompt or an image
    (uint8 RGB [H, W, 3]) those that rank well by all of them.

    A neighbour's score is the cosine of the motion tokens, or, of a combination, from 0 to 1: 1 for a clip that is
    first in each ranking. Raises InvalidSetting, DatabaseMismatch, TokensNotStored, NeighboursNotFound.
    """
    if top_k < 1:
        raise InvalidSetting(f"Expected top_k of at least 1, received {top_k}: raise it.")
    if not -1 <= min_score <= 1:
        raise InvalidSetting(f"Expected min_score in [-1, 1], received {min_score}: it is a similarity.")
    if prompt is not None and not prompt.strip():
        raise InvalidSetting("Expected a prompt in words, received an empty one: describe the motion, or leave it out.")
    if prompt is not None:
        check_encoder(database, encoder, mode="text")
    if image is not None:
        check_encoder(database, encoder, mode="image")
    left_out = left_out_by(database, exclude)
    without: dict[str, Any] = {"exclude_ids": left_out, "exclude_sources": left_out}
    pool = max(POOL, top_k)
    fingerprint = encoder.tokens_fingerprint
    rankings = {"motion": database.search_motion(motion_tokens, k=pool, fingerprint=fingerprint, **without)}
    if prompt is not None:
        rankings["text"] = database.search(encoder.encode_text([prompt])[0], field="text", k=pool, **without)
    if image is not None:
        rankings["frame"] = database.search(encoder.encode_frames(image[None])[0], field="frame", k=pool, **without)
    ranked = [hit for hit in fused(list(rankings.values())) if hit[1] >= min_score][:top_k]
    if not ranked:
        raise NeighboursNotFound(
            f"Expected clips of {database.path.name} that move alike with a score of at least {min_score:g}, found "
            "none: lower min_score, exclude less, or index more videos."
        )
    parts = {name: {hit.row_id: hit.score for hit in hits} for name, hits in rankings.items()}
    rows = database.rows([row_id for row_id, _ in ranked])
    items = tuple(
        Neighbour(
            rank=rank,
            row_id=row.id,
            score=score,
            text_score=parts.get("text", {}).get(row.id),
            frame_score=parts.get("frame", {}).get(row.id),
            caption=row.caption,
            source=row.source,
            start_sec=row.start_sec,
            end_sec=row.end_sec,
            thumbnail=row.thumbnail,
            motion_score=parts["motion"].get(row.id),
        )
        for rank, ((_, score), row) in enumerate(zip(ranked, rows, strict=True), start=1)
    )
    tokens = tokens_of_rows(database, rows, encoder=encoder, sources=sources)
    return Neighbours(items, tokens.motion, tokens.appearance, encoder.tokens_fingerprint)


def fused(rankings: Sequence[Sequence[Hit]]) -> list[tuple[str, float]]:
    """Row ids and scores, best first: of one ranking its own, of several the fusion of their ranks, at most 1."""
    if len(rankings) == 1:
        return [(hit.row_id, hit.score) for hit in rankings[0]]
    scores: dict[str, float] = defaultdict(float)
    for hits in rankings:
        for rank, hit in enumerate(hits, start=1):
            scores[hit.row_id] += (RANK_OFFSET + 1) / (RANK_OFFSET + rank) / len(rankings)
    return sorted(scores.items(), key=lambda entry: -entry[1])

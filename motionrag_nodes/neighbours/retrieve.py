"""Retrieval: a prompt, an image or both -> the K most similar clips of a database (arXiv 2509.26391)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from index_builder.errors import DatabaseMismatch, InvalidSetting
from motionrag_nodes.errors import NeighboursNotFound
from motionrag_nodes.neighbours.diversity import most_diverse
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours
from motionrag_nodes.neighbours.tokens_of_rows import tokens_of_rows

if TYPE_CHECKING:
    from index_builder.database.reader import Hit, MotionDatabase
    from index_builder.features.clip_encoder import ClipEncoder

logger = logging.getLogger(__name__)
Mode = Literal["text", "image", "text_then_image"]
MODES: tuple[str, ...] = get_args(Mode)
# The paper ranks its top 20 by text again by first frame.
TEXT_CANDIDATES = 20
# MMR chooses among this many times top_k.
DIVERSITY_POOL = 4


@dataclass(frozen=True)
class _Candidate:
    row_id: str
    score: float
    text_score: float | None
    frame_score: float | None


def retrieve_neighbours(
    database: MotionDatabase,
    *,
    encoder: ClipEncoder,
    prompt: str | None = None,
    image: np.ndarray | None = None,
    mode: Mode = "text",
    top_k: int = 9,
    min_score: float = -1.0,
    diversity: float = 0.0,
    exclude: Sequence[str] = (),
) -> Neighbours:
    """The `top_k` clips most similar to the query, most similar first, with their tokens; fewer where fewer qualify.

    mode "text" compares `prompt` with captions (of clips without one, with the first frame), "image" compares `image`
    (uint8 RGB [H, W, 3]) with first frames, "text_then_image" ranks the top 20 by text again by first frame.
    min_score: cosine in [-1, 1] that the ranking score must reach. diversity in [0, 1]: 0 takes the most similar;
    above, clips that resemble chosen ones lose as much (maximal marginal relevance). exclude: row ids, video paths,
    file names or stems, e.g. of the target itself, which must never be its own reference.
    Raises InvalidSetting, DatabaseMismatch when the encoder's space is not the database's, NeighboursNotFound.
    """
    _check(prompt, image, mode, top_k, min_score, diversity)
    check_encoder(database, encoder)
    for name in exclude:
        if not database.has_source(name):
            logger.warning("nothing in %s is called %s, so nothing is excluded by it", database.path.name, name)
    pool = top_k if diversity == 0 else max(DIVERSITY_POOL * top_k, TEXT_CANDIDATES)
    candidates = _candidates(database, encoder, prompt, image, mode, pool, tuple(exclude))
    best = max((candidate.score for candidate in candidates), default=None)
    candidates = [candidate for candidate in candidates if candidate.score >= min_score]
    if not candidates:
        found = "it is empty or all is excluded" if best is None else f"the best clip scores {best:.3f}"
        raise NeighboursNotFound(
            f"expected clips of {database.path.name} with a score of at least {min_score:g}, but {found}: lower "
            "min_score, exclude less, or index more videos"
        )
    if diversity > 0:
        field = "text" if mode == "text" else "frame"
        vectors = database.embeddings([candidate.row_id for candidate in candidates], field)
        scores = np.array([candidate.score for candidate in candidates], dtype=np.float32)
        picked = sorted(most_diverse(scores, vectors, count=top_k, diversity=diversity))
        candidates = [candidates[place] for place in picked]
    return _with_tokens(database, encoder, candidates[:top_k])


def check_encoder(database: MotionDatabase, encoder: ClipEncoder) -> None:
    """Raises DatabaseMismatch unless `encoder` makes queries of the database's embedding space."""
    if database.retrieval_fingerprint != encoder.retrieval_fingerprint:
        raise DatabaseMismatch(
            f"Database {database.path.name} was encoded by {database.manifest.retrieval_description}; pack "
            f"{encoder.name} asks with {encoder.retrieval_description}. Rebuild it: motionrag index build FOLDER "
            f"--output NEW_DATABASE --pack {encoder.name}, or load the pack it was built with"
        )


def _check(prompt, image, mode, top_k, min_score, diversity) -> None:
    if mode not in MODES:
        raise InvalidSetting(f"expected a mode of {', '.join(MODES)}, received {mode!r}: choose one of them")
    if mode != "image" and not (prompt and prompt.strip()):
        raise InvalidSetting(
            f"expected a prompt for mode {mode}, received none: describe the motion, or use mode image"
        )
    if mode != "text" and image is None:
        raise InvalidSetting(f"expected an image for mode {mode}, received none: give one, or use mode text")
    if image is not None and (image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8 or not image.size):
        raise InvalidSetting(f"expected an image uint8 RGB [H, W, 3], received {image.dtype} {image.shape}: convert it")
    if top_k < 1:
        raise InvalidSetting(f"expected top_k of at least 1, received {top_k}: raise it")
    if not -1 <= min_score <= 1:
        raise InvalidSetting(f"expected min_score in [-1, 1], received {min_score}: it is a cosine similarity")
    if not 0 <= diversity <= 1:
        raise InvalidSetting(f"expected diversity in [0, 1], received {diversity}: 0 takes the most similar clips")


def _candidates(database, encoder, prompt, image, mode, count, exclude) -> list[_Candidate]:
    """At least `count` clips, if there are as many, best first."""

    def search(query: np.ndarray, field: Literal["text", "frame"], k: int) -> list[Hit]:
        return database.search(query, field=field, k=k, exclude_ids=exclude, exclude_sources=exclude)

    if mode == "text":
        hits = search(encoder.encode_text([prompt])[0], "text", count)
        return [_Candidate(hit.row_id, hit.score, hit.score, None) for hit in hits]
    frame_query = encoder.encode_frames(image[None])[0]
    if mode == "image":
        hits = search(frame_query, "frame", count)
        return [_Candidate(hit.row_id, hit.score, None, hit.score) for hit in hits]
    hits = search(encoder.encode_text([prompt])[0], "text", max(count, TEXT_CANDIDATES))
    frame_scores = database.embeddings([hit.row_id for hit in hits], "frame") @ frame_query
    candidates = [
        _Candidate(hit.row_id, float(score), hit.score, float(score))
        for hit, score in zip(hits, frame_scores, strict=True)
    ]
    return sorted(candidates, key=lambda candidate: -candidate.score)


def _with_tokens(database: MotionDatabase, encoder: ClipEncoder, candidates: Sequence[_Candidate]) -> Neighbours:
    rows = database.rows([candidate.row_id for candidate in candidates])
    items = tuple(
        Neighbour(
            rank=rank,
            row_id=row.id,
            score=candidate.score,
            text_score=candidate.text_score,
            frame_score=candidate.frame_score,
            caption=row.caption,
            source=row.source,
            start_sec=row.start_sec,
            end_sec=row.end_sec,
            thumbnail=row.thumbnail,
        )
        for rank, (candidate, row) in enumerate(zip(candidates, rows, strict=True), start=1)
    )
    motion, appearance = tokens_of_rows(database, rows, encoder=encoder)
    return Neighbours(items, motion, appearance, encoder.tokens_fingerprint)

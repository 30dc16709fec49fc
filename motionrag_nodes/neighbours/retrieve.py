"""Retrieval: a prompt, an image or both -> the K most similar clips of a database (arXiv 2509.26391)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from index_builder.content_hash import sha256_of
from index_builder.database.search.appearance import AppearancePart, appearance_of
from index_builder.errors import DatabaseMismatch, InvalidSetting
from index_builder.plain_text import plain_logger
from motionrag_nodes.errors import NeighboursNotFound
from motionrag_nodes.neighbours.diversity import most_diverse
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours
from motionrag_nodes.neighbours.steering import (
    Steering,
    pinned_ids,
    weights_of,
    without_named_zeros,
    without_ranked_zeros,
)
from motionrag_nodes.neighbours.tokens_of_rows import tokens_of_rows

if TYPE_CHECKING:
    from index_builder.clips.allowed_folders import AllowedFolders
    from index_builder.database.format.manifest import Field
    from index_builder.database.format.rows import ClipRow
    from index_builder.database.search.reader import MotionDatabase
    from index_builder.features.clip_encoder import ClipEncoder

logger = plain_logger(__name__)
Mode = Literal["text", "image", "text_then_image"]
MODES: tuple[str, ...] = get_args(Mode)
# What each mode compares.
_FIELDS: dict[str, tuple[str, ...]] = {"text": ("text",), "image": ("frame",), "text_then_image": ("text", "frame")}
# The paper ranks its top 20 by text again by first frame.
TEXT_CANDIDATES = 20
# MMR chooses among this many times top_k.
DIVERSITY_POOL = 4
# Without looks captions are ranked again, among this many times top_k and at least so many.
LOOKS_POOL, LEAST_LOOKS_POOL = 20, 1000


@dataclass(frozen=True)
class _Candidate:
    row_id: str
    score: float
    text_score: float | None
    frame_score: float | None
    pinned: bool = False


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
    pin: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
    ignore_looks: float = 0.0,
    sources: AllowedFolders | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Neighbours:
    """The `top_k` clips most similar to the query, most similar first, with their tokens; fewer where fewer qualify.

    mode "text" compares `prompt` with captions (of clips without one, with the first frame; where captions have a space
    of their own, such clips answer pictures only), "image" compares `image` (uint8 RGB [H, W, 3]) with first frames,
    "text_then_image" ranks the top 20 by text again by first frame.
    min_score: cosine in [-1, 1] that the ranking score must reach. diversity in [0, 1]: 0 takes the most similar;
    above, clips that resemble chosen ones lose as much (maximal marginal relevance). exclude: row ids, video paths,
    file names or stems, e.g. of the target itself, which must never be its own reference; a file by another name than
    the one that was indexed is known by its content. pin: such names of clips that come first, whatever they score.
    weights: by name or "#rank", how much a neighbour counts beside the others; one of 0 makes room for the next clip.
    ignore_looks in [0, 1]: how much of what captions say of looks is left out where texts are compared (see
    `index_builder.database.search.appearance`), so that the nearest caption is of the same motion, not the same object.
    sources and progress: where the database does not store this encoder's tokens, clips are read from their videos (see
    `tokens_of_rows`); those that cannot be are left out, and `left_out` of the result says why.
    Raises InvalidSetting, DatabaseMismatch when the encoder's space is not the database's, NeighboursNotFound.
    """
    _check(prompt, image, mode, top_k, min_score, diversity, ignore_looks)
    check_encoder(database, encoder, mode=mode)
    steering = without_named_zeros(Steering(left_out_by(database, exclude), tuple(pin), dict(weights or {})), database)
    looks = Looks(appearance_of(database), ignore_looks) if ignore_looks and mode != "image" else None
    query = _Query.of(encoder, mode, prompt, image, looks)

    def found_by(steering: Steering) -> tuple[list[_Candidate], list[_Candidate]]:
        pinned = query.scored(database, pinned_ids(database, steering, top_k=top_k), pinned=True)
        return pinned, _found(database, query, steering, pinned, top_k=top_k, min_score=min_score, diversity=diversity)

    pinned, found = found_by(steering)
    ranked = [candidate.row_id for candidate in (*pinned, *found)]
    steering, again = without_ranked_zeros(steering, ranked)
    if again:
        pinned, found = found_by(steering)
    rows = database.rows([candidate.row_id for candidate in (*pinned, *found)])
    tokens = tokens_of_rows(database, rows, encoder=encoder, sources=sources, progress=progress)
    readable = [pair for pair in zip((*pinned, *found), rows, strict=True) if pair[1].id in tokens.ids]
    items = tuple(_neighbour(rank, candidate, row) for rank, (candidate, row) in enumerate(readable, start=1))
    return Neighbours(
        items,
        tokens.motion,
        tokens.appearance,
        encoder.tokens_fingerprint,
        weights_of(items, steering, database),
        tokens.left_out,
        tuple(database.roots),
    )


def left_out_by(database: MotionDatabase, exclude: Sequence[str]) -> tuple[str, ...]:
    """What to leave out for these names: the names themselves, and of a file that the database does not know by its
    name the rows of its content. A name that stands for nothing is warned of."""
    found: list[str] = []
    for name in exclude:
        found.append(name)
        if database.has_source(name):
            continue
        ids = database.ids_of_content(sha256_of(Path(name))) if os.path.isfile(name) else []
        found += ids
        if not ids:
            logger.warning("nothing in %s is called %s, so nothing is excluded by it", database.path.name, name)
    return tuple(found)


def check_encoder(database: MotionDatabase, encoder: ClipEncoder, *, mode: Mode) -> None:
    """Raises DatabaseMismatch unless what `mode` asks with is of the space of what it compares with."""
    for field in _FIELDS[mode]:
        stored = database.manifest.space_of(field)
        own = encoder.text_space if field == "text" else None
        fingerprint = encoder.retrieval_fingerprint if own is None else own.fingerprint
        if stored.fingerprint != fingerprint:
            description = encoder.retrieval_description if own is None else own.description
            raise DatabaseMismatch(
                f"Expected {database.path.name} to be encoded by {description}, as pack {encoder.name} asks, found "
                f"{stored.description}: build it again with motionrag index build FOLDER --output NEW_DATABASE --pack "
                f"{encoder.name}, or load the pack it was built with."
            )


def _check(
    prompt: str | None,
    image: np.ndarray | None,
    mode: str,
    top_k: int,
    min_score: float,
    diversity: float,
    ignore_looks: float,
) -> None:
    if mode not in MODES:
        raise InvalidSetting(f"Expected a mode of {', '.join(MODES)}, received {mode!r}: choose one of them.")
    if mode != "image" and not (prompt and prompt.strip()):
        raise InvalidSetting(
            f"Expected a prompt for mode {mode}, received none: describe the motion, or use mode image."
        )
    if mode != "text" and image is None:
        raise InvalidSetting(f"Expected an image for mode {mode}, received none: give one, or use mode text.")
    if image is not None and (image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8 or not image.size):
        raise InvalidSetting(
            f"Expected an image uint8 RGB [H, W, 3], received {image.dtype} {image.shape}: convert it."
        )
    if top_k < 1:
        raise InvalidSetting(f"Expected top_k of at least 1, received {top_k}: raise it.")
    if not -1 <= min_score <= 1:
        raise InvalidSetting(f"Expected min_score in [-1, 1], received {min_score}: it is a cosine similarity.")
    if not 0 <= ignore_looks <= 1:
        raise InvalidSetting(f"Expected ignore_looks in [0, 1], received {ignore_looks}: 0 compares whole captions.")
    if not 0 <= diversity <= 1:
        raise InvalidSetting(f"Expected diversity in [0, 1], received {diversity}: 0 takes the most similar clips.")


@dataclass(frozen=True)
class Looks:
    """How captions are compared without what first frames foretell of them."""

    part: AppearancePart
    strength: float

    def removed(self, text: np.ndarray) -> np.ndarray:
        """float32 [k, E], normalised."""
        return self.part.removed(text, self.strength)


@dataclass(frozen=True)
class _Query:
    """What is asked, encoded: `text` and `frame` are float32 [E], those that the mode compares; `looks` are left out of
    texts."""

    mode: Mode
    text: np.ndarray | None
    frame: np.ndarray | None
    looks: Looks | None = None

    @classmethod
    def of(
        cls, encoder: ClipEncoder, mode: Mode, prompt: str | None, image: np.ndarray | None, looks: Looks | None
    ) -> _Query:
        text = None if mode == "image" or prompt is None else encoder.encode_text([prompt])[0]
        if text is not None and looks is not None:
            text = looks.removed(text[None])[0]
        frame = None if mode == "text" or image is None else encoder.encode_frames(image[None])[0]
        return cls(mode, text, frame, looks)

    @property
    def ranks_by(self) -> Field:
        """What the ranking score compares."""
        return "text" if self.frame is None else "frame"

    def embeddings(self, database: MotionDatabase, ids: Sequence[str], field: Field) -> np.ndarray:
        """float32 [k, E] of rows, as they are compared."""
        found = database.embeddings(ids, field)
        return self.looks.removed(found) if field == "text" and self.looks is not None and len(found) else found

    def scored(self, database: MotionDatabase, ids: Sequence[str], *, pinned: bool = False) -> list[_Candidate]:
        """These rows with their similarities, best first."""
        asked: dict[Field, np.ndarray | None] = {"text": self.text, "frame": self.frame}
        parts = {
            field: [None] * len(ids) if query is None else (self.embeddings(database, ids, field) @ query).tolist()
            for field, query in asked.items()
        }
        ranked_by = parts[self.ranks_by]
        candidates = map(_Candidate, ids, ranked_by, parts["text"], parts["frame"], [pinned] * len(ids))
        return sorted(candidates, key=lambda candidate: -candidate.score)

    def search(self, database: MotionDatabase, count: int, *, exclude: Sequence[str]) -> list[_Candidate]:
        """At least `count` rows, if there are as many, best first."""
        field: Field = "frame" if self.text is None else "text"
        query = self.frame if self.text is None else self.text
        assert query is not None  # as `_check` made sure
        k = max(count, TEXT_CANDIDATES) if self.text is not None and self.frame is not None else count
        if self.looks is not None:
            return self._without_looks(database, self.looks, query, k, exclude)
        hits = database.search(query, field=field, k=k, exclude_ids=exclude, exclude_sources=exclude)
        return self.scored(database, [hit.row_id for hit in hits])

    def _without_looks(
        self, database: MotionDatabase, looks: Looks, text: np.ndarray, count: int, exclude: Sequence[str]
    ) -> list[_Candidate]:
        """The index holds whole captions: more of them are looked up than wanted, and these ranked without looks."""
        asked = looks.part.asked_for(text[None], looks.strength)[0]
        pool = max(LOOKS_POOL * count, LEAST_LOOKS_POOL)
        hits = database.search(asked, field="text", k=pool, exclude_ids=exclude, exclude_sources=exclude)
        by_text = replace(self, frame=None).scored(database, [hit.row_id for hit in hits])[:count]
        return self.scored(database, [candidate.row_id for candidate in by_text])


def _found(
    database: MotionDatabase,
    query: _Query,
    steering: Steering,
    pinned: Sequence[_Candidate],
    *,
    top_k: int,
    min_score: float,
    diversity: float,
) -> list[_Candidate]:
    """The neighbours beside the pinned ones, best first. Raises NeighboursNotFound when there would be none at all."""
    wanted = top_k - len(pinned)
    if not wanted:
        return []
    pinned_rows = [candidate.row_id for candidate in pinned]
    pool = wanted if diversity == 0 else max(DIVERSITY_POOL * top_k, TEXT_CANDIDATES)
    candidates = query.search(database, pool, exclude=(*steering.exclude, *pinned_rows))
    best = max((candidate.score for candidate in candidates), default=None)
    candidates = [candidate for candidate in candidates if candidate.score >= min_score]
    if not candidates and not pinned:
        found = _nothing(database, query) if best is None else f"the best clip scores {best:.3f}"
        raise NeighboursNotFound(
            f"Expected clips of {database.path.name} with a score of at least {min_score:g}, but {found}: lower "
            "min_score, exclude less, or index more videos."
        )
    if diversity > 0 and candidates:
        vectors = query.embeddings(database, [candidate.row_id for candidate in candidates], query.ranks_by)
        scores = np.array([candidate.score for candidate in candidates], dtype=np.float32)
        near = query.embeddings(database, pinned_rows, query.ranks_by)
        picked = sorted(most_diverse(scores, vectors, count=wanted, diversity=diversity, taken=near))
        candidates = [candidates[place] for place in picked]
    return candidates[:wanted]


def _nothing(database: MotionDatabase, query: _Query) -> str:
    """Why no clip was even compared."""
    if query.text is not None and database.manifest.text_space is not None:
        return "it is empty, all is excluded, or no clip has a caption (then ask by image)"
    return "it is empty or all is excluded"


def _neighbour(rank: int, candidate: _Candidate, row: ClipRow) -> Neighbour:
    return Neighbour(
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
        pinned=candidate.pinned,
    )

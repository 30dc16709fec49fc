"""Synthetic databases: vectors that cluster as embeddings do, rows without videos, tokens real or sparse.

A vector is the centre of one of 1,000 topics, plus a step in the topic's own 16 directions, plus a little of all
directions, normalised: neighbours are meaningful (the cosine within a topic is about 0.7, across topics 0) and the
intrinsic dimension is low, as with captions and pictures. Uniform vectors have no neighbours worth finding.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.format.manifest import IndexFile, Manifest, TokensSpace
from index_builder.database.format.rows import ClipRow
from index_builder.database.format.tokens import StoredTokens
from index_builder.database.maintain.writer import DatabaseWriter
from index_builder.database.search.certified_index import IndexPlan, build_index
from index_builder.database.search.reader import MotionDatabase

DIM, TOPICS, DIRECTIONS = 512, 1000, 16
BLOCK_ROWS = 20_000
FINGERPRINT = "synthetic-tokens"
# The tiny pack's: with the published pack's 25 x 1024, a million rows would be 100 GB.
TOKENS_SHAPE = (8, 128)


class Vectors:
    """Rows and queries of one distribution, made block by block, the same at each call."""

    def __init__(self, *, dim: int = DIM, seed: int = 0) -> None:
        drawn = np.random.default_rng(seed)
        self.dim, self.seed = dim, seed
        self.centres = _normalised(drawn.normal(size=(TOPICS, dim)).astype(np.float32))
        self.directions = (drawn.normal(size=(TOPICS, DIRECTIONS, dim)) / np.sqrt(dim)).astype(np.float32)

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """float32 [<= BLOCK_ROWS, dim] each, `rows` in all."""
        for start in range(0, rows, BLOCK_ROWS):
            yield self._draw(min(BLOCK_ROWS, rows - start), stream=start // BLOCK_ROWS)

    def queries(self, count: int) -> np.ndarray:
        """float32 [count, dim]; none of them is a row."""
        return self._draw(count, stream=1 << 32)

    def _draw(self, count: int, *, stream: int) -> np.ndarray:
        drawn = np.random.default_rng((self.seed, stream))
        topic = drawn.integers(TOPICS, size=count)
        step = drawn.normal(size=(count, DIRECTIONS)).astype(np.float32) * 0.16
        noise = drawn.normal(size=(count, self.dim)).astype(np.float32) * (0.15 / np.sqrt(self.dim))
        vectors = self.centres[topic] + noise
        for number in np.unique(topic):
            members = np.flatnonzero(topic == number)
            vectors[members] += step[members] @ self.directions[number]
        return _normalised(vectors)


def _normalised(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def row_id(number: int) -> str:
    """As the ids of real rows look."""
    return f"{number:032x}@0-2000"


def clip_rows(start: int, count: int) -> list[ClipRow]:
    """Rows without caption and thumbnail."""
    return [
        ClipRow(
            id=row_id(number),
            source=f"/videos/{number // 1000:06d}/{number:09d}.mp4",
            start_sec=0.0,
            end_sec=2.0,
            fps=24.0,
            width=1280,
            height=720,
            caption=None,
            thumbnail=b"",
            source_size_bytes=1_000_000,
            source_mtime_ns=number,
        )
        for number in range(start, start + count)
    ]


def template(dim: int = DIM, tokens: tuple[int, int] = TOKENS_SHAPE) -> Manifest:
    """The manifest of an empty synthetic database."""
    space = TokensSpace(
        fingerprint=FINGERPRINT, encoder_name="synthetic", tokens_per_clip=tokens[0], token_dim=tokens[1]
    )
    return Manifest(
        generation=0,
        retrieval_fingerprint="synthetic",
        retrieval_description=f"synthetic ({dim})",
        embedding_dim=dim,
        tokens=(space,),
        clips={"frames": 16, "seconds": 2.0, "short_side": 224},
        decoders={},
    )


def token_block(rows: int, *, seed: int) -> StoredTokens:
    """Random tokens of `rows` rows."""
    drawn = np.random.default_rng((1, seed))
    shape = (rows, *TOKENS_SHAPE)
    return StoredTokens(*(drawn.random(shape, dtype=np.float32).astype(np.float16) for _ in range(2)))


def write_rows(path: Path, rows: int, *, vectors: Vectors) -> None:
    """A database of `rows` rows in segments of BLOCK_ROWS, without index; an older one at `path` goes."""
    shutil.rmtree(path, ignore_errors=True)
    with DatabaseWriter(path, template=template(vectors.dim), sampling={}) as writer:
        for number, block in enumerate(vectors.blocks(rows)):
            clips = clip_rows(number * BLOCK_ROWS, len(block))
            tokens = token_block(len(block), seed=number)
            writer.commit_rows(RowBatch(rows=clips, text=block, frame=block, tokens=tokens))


def write_index(path: Path) -> dict:
    """Certifies and commits an index over first frames alone, and returns its facts: text would be the same again."""
    manifest = MotionDatabase.open(path).manifest
    with DatabaseWriter(path, template=template(manifest.embedding_dim), sampling={}) as writer:
        built = build_index(MotionDatabase(path, manifest).vectors("frame"), IndexPlan())
        file = writer.write_index(built.content)
        index = IndexFile(
            **vars(file),
            field="frame",
            kind=built.kind,
            row_count=manifest.row_count,
            segments=tuple(segment.name for segment in manifest.segments),
        )

        def add(newest: Manifest) -> Manifest | None:
            if newest.indexes == (index,):
                return None
            return replace(newest, indexes=(index,), index_facts={index.path: dict(built.facts)})

        writer.publish(add)
    return {"kind": built.kind, **built.facts}


def exact_neighbours(vectors: Vectors, rows: int, queries: np.ndarray, k: int) -> np.ndarray:
    """int64 [queries, k]: the true nearest rows, best first."""
    best_scores = np.full((len(queries), k), -2.0, dtype=np.float32)
    best = np.zeros((len(queries), k), dtype=np.int64)
    start = 0
    for block in vectors.blocks(rows):
        scores = np.concatenate([best_scores, queries @ block.T], axis=1)
        places = np.broadcast_to(np.arange(start, start + len(block)), (len(queries), len(block)))
        numbers = np.concatenate([best, places], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best_scores, best = np.take_along_axis(scores, order, axis=1), np.take_along_axis(numbers, order, axis=1)
        start += len(block)
    return best

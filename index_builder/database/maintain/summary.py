"""A database in numbers: what `motionrag index inspect` shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from index_builder.database.format.manifest import FIELDS
from index_builder.database.search.reader import MotionDatabase


@dataclass(frozen=True, kw_only=True)
class DatabaseSummary:
    """Counts are of rows (clips) that were not removed, but for `removed`; sizes in bytes; `tokens` maps each stored
    encoder's name and fingerprint to [tokens per clip, width]; `search_measured` as MotionDatabase.search_facts;
    `text_space` is that of captions where it is not that of `retrieval`."""

    database: str
    generation: int
    format_version: int
    clips: int
    removed: int
    videos: int
    captioned: int
    clip_seconds_total: float
    frame_sizes: dict[str, int]
    retrieval: str
    retrieval_fingerprint: str
    embedding_dim: int
    text_space: dict[str, Any] | None
    tokens: dict[str, list[int]]
    decoding: dict[str, Any]
    decoders: dict[str, str]
    segments: int
    search: dict[str, str]
    search_measured: dict[str, dict[str, Any]]
    size_bytes: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def summarise(database: MotionDatabase) -> DatabaseSummary:
    """Reads all rows but not their pictures and tokens."""
    manifest = database.manifest
    rows = list(database.each_row("source", "start_sec", "end_sec", "width", "height", "caption"))
    sizes = Counter(f"{width}x{height}" for _, _, _, width, height, _ in rows)
    return DatabaseSummary(
        database=str(database.path),
        generation=manifest.generation,
        format_version=manifest.format_version,
        clips=len(rows),
        removed=manifest.row_count - len(rows),
        videos=len({source for source, *_ in rows}),
        captioned=sum(caption is not None for *_, caption in rows),
        clip_seconds_total=round(sum(end - start for _, start, end, *_ in rows), 3),
        frame_sizes=dict(sizes.most_common(10)),
        retrieval=manifest.retrieval_description,
        retrieval_fingerprint=manifest.retrieval_fingerprint,
        embedding_dim=manifest.embedding_dim,
        text_space=None if manifest.text_space is None else asdict(manifest.text_space),
        tokens={
            f"{space.encoder_name} ({space.fingerprint})": [space.tokens_per_clip, space.token_dim]
            for space in manifest.tokens
        },
        decoding=dict(manifest.clips),
        decoders=dict(manifest.decoders),
        segments=len(manifest.segments),
        search={field: database.search_kind(field) for field in FIELDS},
        search_measured={field: dict(database.search_facts(field)) for field in FIELDS},
        size_bytes={
            "rows": sum(segment.rows.size_bytes for segment in manifest.segments),
            "tokens": sum(file.size_bytes for segment in manifest.segments for file in segment.tokens),
            "indexes": sum(index.size_bytes for index in manifest.indexes),
        },
    )

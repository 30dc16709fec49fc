"""Committing indexes: whether those that are stored will do, and making and publishing others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from index_builder.database.commit.publisher import Publisher, writing
from index_builder.database.format.manifest import FIELDS, Field, IndexFile, Manifest
from index_builder.database.search.certified_index import FLAT_ROWS, IndexPlan, build_index, measured_facts
from index_builder.database.search.reader import MotionDatabase
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)
# A graph that lacks few rows is kept: exact search of those costs next to nothing, a new graph takes minutes.
MAX_UNCOVERED_ROWS = FLAT_ROWS // 4
# Index files, and what was measured of each, by its path.
WrittenIndexes = tuple[tuple[IndexFile, ...], Mapping[str, Mapping[str, Any]]]


def commit_indexes(publisher: Publisher, plan: IndexPlan, *, again: bool = False) -> bool:
    """Indexes over all rows of the newest generation, `again` or of those fields whose stored one will not do; whether
    any were built. Raises RecallBelowTarget, and then changes nothing."""

    def wanted(manifest: Manifest) -> tuple[Field, ...]:
        if not manifest.segments:
            return ()
        return FIELDS if again else fields_to_index(publisher.database, manifest)

    def make(base: Manifest) -> WrittenIndexes | None:
        fields = wanted(base)
        return write_indexes(publisher, base, plan, fields=fields) if fields else None

    made = publisher.on_newest(make)
    if made is None:
        return False
    indexes, facts = made

    def swap(newest: Manifest) -> Manifest | None:
        covered = set(indexes[0].segments) <= {segment.name for segment in newest.segments}
        if set(indexes) <= set(newest.indexes) or not covered or not wanted(newest):
            return None
        fields = {index.field for index in indexes}
        kept = tuple(index for index in newest.indexes if index.field not in fields)
        kept_facts = {index.path: newest.index_facts[index.path] for index in kept if index.path in newest.index_facts}
        return replace(newest, indexes=(*kept, *indexes), index_facts={**kept_facts, **facts})

    if publisher.publish(swap) is None:
        publisher.discard(indexes)
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class IndexReport:
    """Of each field: its kind, rows, size in bytes, and what was measured (recall_at_10, effort, queries)."""

    database: str
    generation: int
    indexes: Mapping[str, Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def rebuild_indexes(database: Path, *, plan: IndexPlan | None = None) -> IndexReport:
    """Makes the indexes again over all rows. Those that are stored stay in use until the new ones are published.

    Raises RecallBelowTarget (nothing is changed then), DatabaseNotFound, DatabaseDamaged, DatabaseNotWritable.
    """
    with writing(database, remedy="run the command again"), Publisher.open(database) as publisher:
        commit_indexes(publisher, plan or IndexPlan(), again=True)
        manifest = publisher.current()
    indexes: dict[str, Mapping[str, Any]] = {
        index.field: {
            "kind": index.kind,
            "rows": index.row_count,
            "size_bytes": index.size_bytes,
            **measured_facts(manifest.index_facts.get(index.path, {})),
        }
        for index in manifest.indexes
    }
    return IndexReport(database=str(database), generation=manifest.generation, indexes=indexes)


def fields_to_index(database: Path, base: Manifest) -> tuple[Field, ...]:
    """The fields that have neither an index of all rows nor a graph of nearly all."""
    lacking = {field: base.row_count for field in FIELDS}
    rows = {segment.name: segment.row_count for segment in base.segments}
    for index in base.indexes:
        if (database / index.path).is_file() and set(index.segments) <= set(rows):
            lacking[index.field] = min(lacking[index.field], base.row_count - index.row_count)
    allowed = MAX_UNCOVERED_ROWS if base.row_count > FLAT_ROWS else 0
    return tuple(field for field, rows in lacking.items() if rows > allowed)


def write_indexes(
    publisher: Publisher, manifest: Manifest, plan: IndexPlan, *, fields: Sequence[Field] = FIELDS
) -> WrittenIndexes:
    """Index files of these fields over all segments of `manifest`, in place but not published, and their facts."""
    reader = MotionDatabase(publisher.database, manifest)
    indexes, facts = [], {}
    for field in fields:
        vectors = reader.vectors(field)
        built = build_index(vectors, plan)
        file = publisher.write_index(built.content)
        names = tuple(segment.name for segment in manifest.segments)
        rows = vectors.row_count
        indexes.append(IndexFile(**vars(file), field=field, kind=built.kind, row_count=rows, segments=names))
        facts[file.path] = dict(built.facts)
    return tuple(indexes), facts

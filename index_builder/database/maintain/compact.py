"""Compacting: segments that hold removed rows or are small are written again without the removed, and what no reader
can open any more is deleted.

The new segments and their indexes are published by one manifest, so that a kill before it leaves the database as it
was. Then the manifest is published once more, as a second generation to fall back to, and the generations before it
are removed with the files that only they listed. A reader that is open keeps its files: it has them mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index_builder.database.commit import durable_files
from index_builder.database.commit.presence import remove_unlisted
from index_builder.database.commit.publisher import Publisher, writing
from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.commit.segment_rows import joined, read_rows, rows_per_segment, segment_ids
from index_builder.database.format.manifest import (
    IndexFile,
    Manifest,
    Segment,
    list_generations,
    manifest_path,
    read_manifest,
)
from index_builder.database.search.certified_index import IndexPlan
from index_builder.database.search.index_commit import write_indexes
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseDamaged

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class CompactReport:
    """Sizes in bytes, of all files. With `dry_run` nothing was changed and `bytes_after` is None."""

    database: str
    generation: int
    clips: int
    removed_rows_left_out: int
    segments_before: int
    segments_after: int
    bytes_before: int
    bytes_after: int | None
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _Pool:
    """Segments of one sampling that become fewer, and how many of their rows stay."""

    segments: tuple[Segment, ...]
    kept_rows: int


class _Overtaken(Exception):
    """Another builder changed what is being compacted: start again from what there is now."""


def compact_database(
    database: Path, *, plan: IndexPlan | None = None, dry_run: bool = False, progress: Progress | None = None
) -> CompactReport:
    """Compacts; a database that is compact already only loses its old generations. `progress` hears rows written and
    rows to write. Raises DatabaseNotFound, DatabaseDamaged (of a segment whose bytes changed), RecallBelowTarget,
    DatabaseNotWritable, CommitConflict; the database is then as it was.
    """
    opened = MotionDatabase.open(database)
    before = opened.manifest
    counted: dict[str, Any] = {
        "database": str(database),
        "segments_before": len(before.segments),
        "bytes_before": _bytes_of(database),
        "dry_run": dry_run,
    }
    if dry_run:
        pools, removed = _pools(opened), sum(_removed_by_segment(opened).values())
        replaced = sum(len(pool.segments) for pool in pools)
        made = sum(-(-pool.kept_rows // rows_per_segment(before)) for pool in pools)
        return CompactReport(
            generation=before.generation,
            clips=before.row_count - removed,
            removed_rows_left_out=removed,
            segments_after=len(before.segments) - replaced + made,
            bytes_after=None,
            **counted,
        )
    with writing(database, remedy="run the command again"), Publisher.open(database) as publisher:
        left_out = _rewrite_newest(publisher, plan or IndexPlan(), progress)
        after = _drop_history(publisher)
    return CompactReport(
        generation=after.generation,
        clips=len(MotionDatabase.open(database)),
        removed_rows_left_out=left_out,
        segments_after=len(after.segments),
        bytes_after=_bytes_of(database),
        **counted,
    )


def _rewrite_newest(publisher: Publisher, plan: IndexPlan, progress: Progress | None) -> int:
    while True:
        try:
            return publisher.on_newest(lambda base: _rewrite(publisher, base, plan, progress))
        except _Overtaken:
            continue


def _rewrite(publisher: Publisher, base: Manifest, plan: IndexPlan, progress: Progress | None) -> int:
    """Publishes `base` without its removed rows; returns how many those were. Raises _Overtaken."""
    pools = _pools(MotionDatabase(publisher.database, base))
    if not pools:
        return 0
    tombstones, gone = set(base.tombstones), []
    total, made, replaced = sum(pool.kept_rows for pool in pools), [], set()
    for pool in pools:
        replaced |= {segment.name for segment in pool.segments}
        for segment in pool.segments:
            gone += [row_id for row_id in segment_ids(publisher.database, base, segment) if row_id in tombstones]
        for batch in _batches(publisher.database, base, pool, tombstones):
            made.append(publisher.write_segment(batch, sampling=pool.segments[0].sampling))
            if progress:
                progress(sum(segment.row_count for segment in made), total)
    indexes: tuple[IndexFile, ...] = ()
    facts: Mapping[str, Mapping[str, Any]] = {}
    try:
        if len(made) + len(base.segments) > len(replaced):
            indexes, facts = write_indexes(publisher, _replaced(base, replaced, made, set(gone)), plan)

        def change(newest: Manifest) -> Manifest | None:
            names = {segment.name for segment in newest.segments}
            if made and {segment.name for segment in made} <= names:
                return None
            if not replaced <= names:
                if not made and not replaced & names:
                    return None
                raise _Overtaken
            if not set(gone) <= set(newest.tombstones):
                raise _Overtaken
            return replace(_replaced(newest, replaced, made, set(gone)), indexes=indexes, index_facts=facts)

        publisher.publish(change)
    except BaseException:
        publisher.discard([*made, *indexes])
        raise
    return len(gone)


def _replaced(base: Manifest, replaced: set[str], made: Sequence[Segment], gone: set[str]) -> Manifest:
    """`base` with `made` in the place of the segments `replaced`, whose removed rows `gone` are only remembered."""
    kept = [segment for segment in base.segments if segment.name not in replaced]
    return replace(
        base,
        segments=(*made, *kept),
        tombstones=tuple(row_id for row_id in base.tombstones if row_id not in gone),
        dropped=tuple(dict.fromkeys((*base.dropped, *sorted(gone)))),
    )


def _pools(opened: MotionDatabase) -> list[_Pool]:
    """What is worth writing again: segments with removed rows, and small ones if they have company."""
    base, removed = opened.manifest, _removed_by_segment(opened)
    limit = rows_per_segment(base)
    by_sampling: dict[str, list[Segment]] = {}
    for segment in base.segments:
        if removed[segment.name] or segment.row_count <= limit // 2:
            by_sampling.setdefault(repr(sorted(segment.sampling.items())), []).append(segment)
    pools = []
    for segments in by_sampling.values():
        if len(segments) > 1 or removed[segments[0].name]:
            kept = sum(segment.row_count - removed[segment.name] for segment in segments)
            pools.append(_Pool(segments=tuple(segments), kept_rows=kept))
    return pools


def _removed_by_segment(opened: MotionDatabase) -> dict[str, int]:
    """How many removed rows each segment holds."""
    counts = dict.fromkeys((segment.name for segment in opened.manifest.segments), 0)
    if opened.manifest.tombstones:
        removed, start = opened.removed_rows(), 0
        for segment in opened.manifest.segments:
            counts[segment.name] = int(removed[start : start + segment.row_count].sum())
            start += segment.row_count
    return counts


def _batches(database: Path, base: Manifest, pool: _Pool, tombstones: set[str]) -> Iterator[RowBatch]:
    """The rows of a pool that stay, in batches of a segment's size."""
    limit, count = rows_per_segment(base), 0
    waiting: list[RowBatch] = []
    for segment in pool.segments:
        ids = segment_ids(database, base, segment)
        keep = np.array([place for place, row_id in enumerate(ids) if row_id not in tombstones], dtype=np.int64)
        for part in np.split(keep, range(limit, len(keep), limit)):
            if len(part) and count + len(part) > limit and waiting:
                yield joined(waiting)
                waiting, count = [], 0
            if len(part):
                waiting.append(read_rows(database, base, segment, part))
                count += len(part)
    if waiting:
        yield joined(waiting)


def _drop_history(publisher: Publisher) -> Manifest:
    """Removes all generations but the newest and an equal one before it, then the files that only they listed."""

    def once_more(newest: Manifest) -> Manifest | None:
        return None if _has_twin(publisher.database, newest) else newest

    publisher.publish(once_more)
    for generation in sorted(list_generations(publisher.database))[:-2]:
        durable_files.remove(manifest_path(publisher.database, generation))
    remove_unlisted(publisher.database)
    return publisher.current()


def _has_twin(database: Path, newest: Manifest) -> bool:
    """Whether the generation before says the same, so that damage to one of the two files loses nothing."""
    before = [generation for generation in list_generations(database) if generation < newest.generation]
    try:
        return bool(before) and replace(read_manifest(database, before[0]), generation=newest.generation) == newest
    except DatabaseDamaged:
        return False


def _bytes_of(database: Path) -> int:
    """Of all files; those that go meanwhile count for nothing."""
    total = 0
    for path in database.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total

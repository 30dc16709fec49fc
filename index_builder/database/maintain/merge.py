"""Merging databases of one kind: rows that one lacks are copied from the others, hashes checked, nothing decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index_builder.database.commit.output_folder import check_output
from index_builder.database.commit.publisher import emptied, writing
from index_builder.database.commit.segment_rows import read_rows, rows_per_segment, segment_ids
from index_builder.database.format.manifest import Manifest, list_generations, newest_manifest
from index_builder.database.format.same_kind import check_same_kind
from index_builder.database.maintain.rewrite_rows import RowChange, rewrite_rows
from index_builder.database.maintain.writer import DatabaseWriter
from index_builder.database.search.certified_index import IndexPlan
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseDamaged, InvalidSetting

Progress = Callable[[int, int], None]
REMEDY = "merge only databases that one pack has made"


@dataclass(frozen=True, kw_only=True)
class MergedSource:
    """What came of one database's rows: `added`, `already_there` (`captioned` of these had no caption there and took
    the one from here), `removed_there` (removed from the output earlier, which stands); `removed_here` were removed
    from the source and are left behind."""

    database: str
    added: int
    already_there: int
    removed_there: int
    removed_here: int
    captioned: int = 0


@dataclass(frozen=True, kw_only=True)
class MergeReport:
    """clips: how many the output holds afterwards."""

    output: str
    generation: int
    clips: int
    sources: tuple[MergedSource, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def merge_databases(
    sources: Sequence[Path],
    *,
    output: Path,
    plan: IndexPlan | None = None,
    progress: Progress | None = None,
) -> MergeReport:
    """Brings the rows of `sources` into `output`, which is extended, or made where missing. Sources stay as they are.

    A merge that was stopped goes on where it was. `progress` hears rows looked at and rows in all. Raises
    DatabaseMismatch unless all are of one kind, DatabaseNotFound, DatabaseDamaged (also of a source whose bytes
    changed), InvalidSetting, DatabaseNotWritable, RecallBelowTarget, CommitConflict.
    """
    if not sources or output.resolve() in {source.resolve() for source in sources}:
        raise InvalidSetting(
            f"Expected databases to merge into another one, received {output} or nothing: name others."
        )
    check_output(output)
    opened = [MotionDatabase.open(source) for source in sources]
    roots = dict.fromkeys(str(root) for database in opened for root in database.roots)
    template = replace(emptied(opened[0].manifest), roots=tuple(roots))
    others = [(database.manifest, database.path) for database in opened[1:]]
    if list_generations(output):
        others.append((newest_manifest(output)[0], output))
    for manifest, path in others:
        check_same_kind(manifest, template, path, asker=f"database {opened[0].path.name}", remedy=REMEDY)
    total = sum(database.manifest.row_count for database in opened)
    with (
        writing(output, remedy="run the merge again"),
        DatabaseWriter(output, template=template, sampling={}) as writer,
    ):
        done, merged = 0, []
        for database in opened:

            def tell(rows: int, before: int = done) -> None:
                if progress:
                    progress(before + rows, total)

            merged.append(_merge_one(writer, database, tell))
            done += database.manifest.row_count
        writer.commit_indexes(plan)
        generation = writer.manifest.generation
    clips = len(MotionDatabase.open(output))
    return MergeReport(output=str(output), generation=generation, clips=clips, sources=tuple(merged))


def _merge_one(writer: DatabaseWriter, database: MotionDatabase, tell: Callable[[int], None]) -> MergedSource:
    """Takes in one source; from its newest generation on when it is compacted meanwhile."""
    added: set[str] = set()
    while True:
        try:
            return _merge_generation(writer, database, added, tell)
        except DatabaseDamaged:
            newest = MotionDatabase.open(database.path)
            if newest.generation == database.generation:
                raise
            check_same_kind(newest.manifest, writer.template, newest.path, remedy=REMEDY)
            database = newest


def _merge_generation(
    writer: DatabaseWriter, database: MotionDatabase, added: set[str], tell: Callable[[int], None]
) -> MergedSource:
    """Adds the ids of what was committed to `added`, which holds those of earlier tries."""
    seen, already, removed_there = 0, 0, 0
    there: set[str] = set()
    limit, gone = rows_per_segment(database.manifest), database.removed_rows()
    for segment in database.manifest.segments:
        ids = segment_ids(database.path, database.manifest, segment)
        offered = {row_id: place for place, row_id in enumerate(ids) if not gone[seen + place]}
        present, removed = writer.known.present(offered), writer.known.removed & offered.keys()
        removed_there, already = removed_there + len(removed), already + len(present - removed - added)
        there |= present - removed - added
        places = [place for row_id, place in offered.items() if row_id not in present | removed]
        for part in np.split(np.array(places, dtype=np.int64), range(limit, len(places), limit)):
            if len(part):
                rows = read_rows(database.path, database.manifest, segment, part)
                left_out = writer.commit_rows(rows, sampling=segment.sampling)
                added |= {row.id for row in rows.rows} - left_out
                already += len(left_out)
        seen += segment.row_count
        tell(seen)
    return MergedSource(
        database=str(database.path),
        added=len(added),
        already_there=already,
        removed_there=removed_there,
        removed_here=int(gone.sum()),
        captioned=_fill_captions(writer, database, there),
    )


def _fill_captions(writer: DatabaseWriter, database: MotionDatabase, there: set[str]) -> int:
    """Gives rows of the output that have no caption the one that `database` has; returns how many."""

    def without_caption(newest: Manifest) -> set[str]:
        rows = MotionDatabase(writer.database, newest).each_row("id", "caption")
        return {row_id for row_id, caption in rows if caption is None and row_id in there}

    bare = writer.on_newest(without_caption)
    known = {row_id: caption for row_id, caption in database.each_row("id", "caption") if caption and row_id in bare}
    if not known:
        return 0
    embeddings = database.embeddings(list(known), "text")
    changes = {
        row_id: RowChange(values={"caption": caption}, text=embedding)
        for (row_id, caption), embedding in zip(known.items(), embeddings, strict=True)
    }
    changed = rewrite_rows(writer, changes)
    writer.known.absorb(writer.manifest)
    return changed

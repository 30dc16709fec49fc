"""Removing rows and bringing them back: one commit that changes no segment, so that open readers go on undisturbed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from index_builder.database.commit.publisher import Change, Publisher, writing
from index_builder.database.format.manifest import Manifest
from index_builder.database.maintain.near_duplicates import find_near_duplicates
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import SelectionEmpty


@dataclass(frozen=True, kw_only=True)
class ChosenRow:
    """A row that a command removed or brought back; `reason` says by which choice. `source` is empty of a row that
    compaction has left out."""

    row_id: str
    source: str
    caption: str | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class ChangeReport:
    """rows: what was chosen; with `dry_run` nothing was changed. clips: how many the database holds afterwards."""

    database: str
    generation: int
    rows: tuple[ChosenRow, ...]
    clips: int
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "count": len(self.rows)}


def remove_rows(
    database: Path,
    where: RowFilter,
    *,
    near_duplicates: float | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ChangeReport:
    """Removes the rows that match `where`; of these, with `near_duplicates` in (0, 1], only those that resemble an
    earlier row at least so much (see `near_duplicates`). `progress` hears rows compared and rows in all.

    Builds do not bring a removed row back; `restore_rows` does. Its bytes stay until `compact`.
    Raises SelectionEmpty when nothing is given to choose by, DatabaseNotFound, DatabaseDamaged, DatabaseNotWritable.
    """
    if where.is_empty and near_duplicates is None:
        raise SelectionEmpty(
            "Expected something to choose rows by, received nothing: name a source, an id, caption words, a length or "
            "duplicates."
        )
    opened = MotionDatabase.open(database)
    chosen = opened.matching(where)
    reasons = dict.fromkeys(chosen, "matches")
    if near_duplicates is not None:
        found = find_near_duplicates(opened, threshold=near_duplicates, progress=progress)
        reasons = {
            pair.row_id: f"resembles {pair.original_id} ({pair.similarity:.3f})"
            for pair in found
            if pair.row_id in reasons
        }
    rows = _described(opened, reasons)
    if not dry_run:

        def bury(newest: Manifest) -> Manifest | None:
            missing = set(reasons) - {*newest.tombstones, *newest.dropped}
            return replace(newest, tombstones=(*newest.tombstones, *sorted(missing))) if missing else None

        opened = _publish(database, bury)
    left = len(opened) - (len(rows) if dry_run else 0)
    return ChangeReport(database=str(database), generation=opened.generation, rows=rows, clips=left, dry_run=dry_run)


def restore_rows(database: Path, where: RowFilter, *, dry_run: bool = False) -> ChangeReport:
    """Brings back removed rows that match `where` (an empty one: all). A row that compaction has left out is only
    forgotten as removed (by its id, or with all), so that the next build over its video indexes it again."""
    opened = MotionDatabase.open(database)
    chosen = opened.matching(where, removed=True)
    left_out = [row_id for row_id in opened.manifest.dropped if where.is_empty or row_id in where.ids]
    reader = opened.with_removed()
    rows = _described(reader, dict.fromkeys(chosen, "removed earlier"))
    rows += tuple(
        ChosenRow(row_id=row_id, source="", caption=None, reason="left out by compaction: build again to index it")
        for row_id in left_out
    )
    if not dry_run:
        back = {*chosen, *left_out}

        def forget(newest: Manifest) -> Manifest | None:
            if not back & {*newest.tombstones, *newest.dropped}:
                return None
            kept = [
                tuple(row_id for row_id in ids if row_id not in back) for ids in (newest.tombstones, newest.dropped)
            ]
            return replace(newest, tombstones=kept[0], dropped=kept[1])

        opened = _publish(database, forget)
    clips = len(opened) + (len(chosen) if dry_run else 0)
    return ChangeReport(database=str(database), generation=opened.generation, rows=rows, clips=clips, dry_run=dry_run)


def _described(opened: MotionDatabase, reasons: Mapping[str, str]) -> tuple[ChosenRow, ...]:
    rows = opened.rows(list(reasons))
    return tuple(
        ChosenRow(row_id=row.id, source=row.source, caption=row.caption, reason=reasons[row.id]) for row in rows
    )


def _publish(database: Path, change: Change) -> MotionDatabase:
    with writing(database, remedy="run the command again"), Publisher.open(database) as publisher:
        publisher.publish(change)
    return MotionDatabase.open(database)

"""Captions of what is indexed, corrected from a table: rows get other words and embeddings, their tokens stay."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index_builder.captions.captions import CaptionPlan, TableCaptions
from index_builder.captions.counts import CaptionCounts
from index_builder.clips.find import VideoFile
from index_builder.clips.windows import ClipWindow
from index_builder.database.commit.publisher import Publisher, writing
from index_builder.database.maintain.rewrite_rows import RowChange, rewrite_rows
from index_builder.database.search.certified_index import IndexPlan
from index_builder.database.search.index_commit import commit_indexes
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import InvalidSetting
from index_builder.features.alternatives import encode_alternatives, joined_caption
from index_builder.features.clip_encoder import ClipEncoder

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class NewCaption:
    """A row whose caption changes."""

    row_id: str
    source: str
    before: str | None
    after: str


@dataclass(frozen=True, kw_only=True)
class RecaptionReport:
    """changed: rows that got another caption (with `dry_run`: would get); same: rows whose caption the table confirms;
    unnamed: rows of which it says nothing. table: the account of its own rows."""

    database: str
    generation: int
    changed: tuple[NewCaption, ...]
    same: int
    unnamed: int
    table: CaptionCounts
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def recaption_database(
    database: Path,
    captions: CaptionPlan,
    *,
    encoder: ClipEncoder,
    plan: IndexPlan | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RecaptionReport:
    """Gives the clips that a table's rows mean their captions, in one commit, then makes the index over captions again.
    A row without a caption says nothing. `encoder` must be of the database's space, which the caller checks. `progress`
    hears captions encoded and captions in all.

    Raises InvalidSetting without a table, CaptionTableInvalid, DatabaseNotFound, DatabaseDamaged, DatabaseNotWritable,
    CommitConflict, RecallBelowTarget.
    """
    if captions.table is None:
        raise InvalidSetting("Expected a caption table, received none: name it after the database.")
    opened = MotionDatabase.open(database)
    # Removed rows too: restored, they should be called as the others are.
    reader = opened.with_removed()
    columns = ("id", "source", "start_sec", "end_sec", "caption")
    rows = list(reader.each_row(*columns))
    said = TableCaptions(captions, _videos([source for _, source, *_ in rows]))
    changed, texts, same = [], [], 0
    for row_id, source, start_sec, end_sec, before in rows:
        found = said.of(source, ClipWindow(round(start_sec * 1000), round(end_sec * 1000)))
        after = joined_caption(found)
        if after is not None and after != before:
            changed.append(NewCaption(row_id=row_id, source=source, before=before, after=after))
            texts.append(found)
        same += after is not None and after == before
    generation = opened.generation
    if changed and not dry_run:
        changes = {}
        for done, (row, alternatives) in enumerate(zip(changed, texts, strict=True), start=1):
            embedding = encode_alternatives(encoder, alternatives)
            changes[row.row_id] = RowChange(values={"caption": row.after}, text=embedding)
            if progress:
                progress(done, len(changed))
        with writing(database, remedy="run the command again"), Publisher.open(database) as publisher:
            rewrite_rows(publisher, changes)
            commit_indexes(publisher, plan or IndexPlan())
            generation = publisher.current().generation
    return RecaptionReport(
        database=str(database),
        generation=generation,
        changed=tuple(changed),
        same=same,
        unnamed=len(rows) - same - len(changed),
        table=said.counts(),
        dry_run=dry_run,
    )


def _videos(sources: list[str]) -> list[VideoFile]:
    """The videos that rows come from, whether they are still there or not, as if found under the folder of them all."""
    distinct = dict.fromkeys(sources)
    try:
        root = Path(os.path.commonpath([os.path.dirname(source) for source in distinct]) if distinct else "/")
    except ValueError:
        root = Path("/")
    return [VideoFile(path=Path(source), root=root, size_bytes=0, mtime_ns=0) for source in distinct]

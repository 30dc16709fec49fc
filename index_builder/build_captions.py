"""What a build says of captions: where those of its clips come from, and which clips it left with an older one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from index_builder.build_report import ALREADY_INDEXED, Ledger
from index_builder.captions.captions import Captions
from index_builder.captions.counts import CaptionCounts, Source
from index_builder.clips.windows import ClipWindow
from index_builder.database.maintain.writer import DatabaseWriter
from index_builder.database.search.reader import MotionDatabase
from index_builder.features.alternatives import joined_caption


def counted(
    captions: Captions, ledger: Ledger, source_of: Mapping[str, Source | None], writer: DatabaseWriter
) -> CaptionCounts:
    """The account of the table and of the clips; `source_of` says of each planned clip where its caption is from."""
    sources = Counter(source_of.get(entry.row_id or "") for entry in ledger.entries["indexed"])
    return replace(
        captions.counts(),
        by_source={source: sources[source] for source in get_args(Source)},
        clips_without=sources[None],
        outdated=_outdated(captions, ledger, writer),
    )


def _outdated(captions: Captions, ledger: Ledger, writer: DatabaseWriter) -> int:
    """How many clips that were there before have another caption in the table."""
    there = {entry.row_id for entry in ledger.entries["skipped"] if entry.reason == ALREADY_INDEXED}
    if captions.plan.table is None or not there:
        return 0
    rows = MotionDatabase.open(writer.database).each_row("id", "source", "start_sec", "end_sec", "caption")
    outdated = 0
    for row_id, source, start_sec, end_sec, stored in rows:
        if row_id in there:
            window = ClipWindow(round(start_sec * 1000), round(end_sec * 1000))
            outdated += joined_caption(captions.table.of(source, window)) not in (None, stored)
    return outdated

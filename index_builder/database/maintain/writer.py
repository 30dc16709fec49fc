"""Adding to a motion database: rows that nobody committed yet, and the indexes over all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from index_builder.database.commit.publisher import Publisher
from index_builder.database.commit.segment_files import RowBatch, SegmentTicket
from index_builder.database.commit.segment_rows import read_rows
from index_builder.database.format.manifest import Manifest, Segment
from index_builder.database.maintain.known_rows import KnownRows
from index_builder.database.search.certified_index import IndexPlan
from index_builder.database.search.index_commit import commit_indexes


class DatabaseWriter(Publisher):
    """One builder's hand on a database, a context manager. Any number of builders may write at the same time."""

    def __init__(self, database: Path, *, template: Manifest, sampling: Mapping[str, Any]) -> None:
        """`template` is the manifest of an empty database of this kind; `sampling` is recorded with each segment.

        Makes the folder where missing. Raises DatabaseMismatch when the database was made with other encoders.
        """
        super().__init__(database, template=template)
        self.sampling = dict(sampling)
        try:
            self.known = KnownRows(database, sampling=self.sampling)
            # Not of the manifest read before: its files may have been compacted away meanwhile.
            self.on_newest(self._start_from)
        except BaseException:
            self.presence.release()
            raise

    def _start_from(self, newest: Manifest) -> None:
        self.known.absorb(newest)
        self.manifest = newest

    def commit_rows(self, batch: RowBatch, *, sampling: Mapping[str, Any] | None = None) -> set[str]:
        """Adds a segment of the rows that nobody committed yet and nobody removed; returns the ids of the others.

        `sampling`, where the rows were cut otherwise than this builder cuts. Raises CommitConflict when other builders
        kept winning.
        """
        sampling = self.sampling if sampling is None else sampling
        left_out: set[str] = set()
        while True:
            ids = {row.id for row in batch.rows}
            unwanted = self.known.present(ids) | (ids & self.known.removed)
            left_out |= unwanted
            remaining = batch.without(unwanted)
            if remaining is None:
                return left_out
            batch = remaining
            segment = self.write_segment(batch, sampling=sampling)
            if self.publish(self._addition(segment, ids - unwanted)) is not None:
                self.known.absorb(self.manifest)
                return left_out
            self.discard([segment])

    def new_ticket(self) -> SegmentTicket:
        """Leave for a worker to write a segment, which `commit_segment` takes in."""
        return self.ticket(sampling=self.sampling)

    def commit_segment(self, segment: Segment, ids: set[str]) -> set[str]:
        """Adds a segment that a worker has written, of the rows `ids`; returns those that another builder had.

        Raises CommitConflict when other builders kept winning.
        """
        if self.publish(self._addition(segment, ids)) is not None:
            self.known.absorb(self.manifest)
            return set()
        left_out = self.commit_rows(self.written_rows(segment), sampling=segment.sampling)
        self.discard([segment])
        return left_out

    def written_rows(self, segment: Segment) -> RowBatch:
        """All rows of a segment that a worker has written and nobody committed yet."""
        return read_rows(self.database, self.template, segment, np.arange(segment.row_count))

    def _addition(self, segment: Segment, ids: set[str]) -> Callable[[Manifest], Manifest | None]:
        def add(base: Manifest) -> Manifest | None:
            self.known.absorb(base)
            if self.known.present(ids) or ids & self.known.removed:
                return None
            return replace(base, segments=(*base.segments, segment))

        return add

    def commit_indexes(self, plan: IndexPlan | None = None) -> None:
        """Builds the indexes over all segments, unless those that are stored will do.

        Raises RecallBelowTarget, and then changes nothing.
        """
        commit_indexes(self, plan or IndexPlan())

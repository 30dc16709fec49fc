"""Changing rows that are committed: segments never change, so those that hold the rows are written again over the same
tokens, and one manifest puts them in the place of the old ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from index_builder.database.commit.publisher import Publisher
from index_builder.database.commit.segment_rows import read_embedded_rows, segment_ids
from index_builder.database.format.manifest import IndexFile, Manifest, Segment

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class RowChange:
    """values: of ClipRow's fields, by name. text: float32 [E] of a caption that changes."""

    values: Mapping[str, Any]
    text: np.ndarray | None = None


class _Overtaken(Exception):
    """Another builder replaced a segment that is being written again: start again from what there is now."""


def rewrite_rows(publisher: Publisher, changes: Mapping[str, RowChange], *, progress: Progress | None = None) -> int:
    """Publishes `changes`, by the ids of rows, as one generation; returns how many rows those were. Ids that are not
    stored count for nothing. `progress` hears segments looked at and segments in all.

    Indexes over embeddings that stay the same go on serving; one over captions that changed is left out, so that
    `commit_indexes` makes another. Raises DatabaseDamaged, CommitConflict.
    """
    while True:
        try:
            return publisher.on_newest(lambda base: _rewrite(publisher, base, changes, progress))
        except _Overtaken:
            continue


def _rewrite(publisher: Publisher, base: Manifest, changes: Mapping[str, RowChange], progress: Progress | None) -> int:
    made: dict[str, Segment] = {}
    changed, captions_changed = 0, False
    try:
        for done, segment in enumerate(base.segments, start=1):
            ids = segment_ids(publisher.database, base, segment)
            own = {place: changes[row_id] for place, row_id in enumerate(ids) if row_id in changes}
            if own:
                made[segment.name] = _written(publisher, base, segment, own)
                changed += len(own)
                captions_changed |= any(change.text is not None for change in own.values())
            if progress:
                progress(done, len(base.segments))
        if made:
            publisher.publish(_swap(made, captions_changed))
    except BaseException:
        publisher.discard(list(made.values()))
        raise
    return changed


def _written(publisher: Publisher, base: Manifest, segment: Segment, own: Mapping[int, RowChange]) -> Segment:
    rows, text, frame = read_embedded_rows(publisher.database, base, segment)
    text = text.copy()
    for place, change in own.items():
        rows[place] = replace(rows[place], **change.values)
        if change.text is not None:
            text[place] = change.text
    return publisher.ticket(sampling=segment.sampling).write_over(segment, rows, text=text, frame=frame)


def _swap(made: Mapping[str, Segment], captions_changed: bool) -> Callable[[Manifest], Manifest | None]:
    new_names = {segment.name for segment in made.values()}

    def change(newest: Manifest) -> Manifest | None:
        names = {segment.name for segment in newest.segments}
        if new_names <= names:
            return None
        if not made.keys() <= names:
            raise _Overtaken
        lost = made.keys() if captions_changed else set()
        kept = [index for index in newest.indexes if index.field != "text" or not lost & set(index.segments)]
        segments = tuple(made.get(segment.name, segment) for segment in newest.segments)
        return replace(newest, segments=segments, indexes=tuple(_renamed(index, made) for index in kept))

    return change


def _renamed(index: IndexFile, made: Mapping[str, Segment]) -> IndexFile:
    """The same index: rows keep their places in the segments that stand for the old ones."""
    names = tuple(made[name].name if name in made else name for name in index.segments)
    return replace(index, segments=names)

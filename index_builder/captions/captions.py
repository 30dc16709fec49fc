"""The captions of a build: for each clip those of its table's rows, else of the file beside its video, else of the
folder's metadata; and the account of which rows and clips found none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from index_builder.captions.counts import CaptionCounts, Source
from index_builder.captions.folder_metadata import metadata_tables
from index_builder.captions.matching import Matches, VideoNames, several_captions, texts_of
from index_builder.captions.sidecars import read_sidecar
from index_builder.captions.table import CaptionTable, read_table
from index_builder.clips.find import VideoFile
from index_builder.clips.windows import ClipWindow
from index_builder.errors import CaptionTableInvalid, InvalidSetting

Several = Literal["first", "all", "error"]


@dataclass(frozen=True, kw_only=True)
class CaptionPlan:
    """Where captions come from. table: see `read_table`, of the column `column`. several: what becomes of a clip with
    several different captions: the first is taken, all are alternatives, or it is an error."""

    table: Path | None = None
    column: str | None = None
    several: Several = "first"

    def __post_init__(self) -> None:
        if self.several not in get_args(Several):
            raise InvalidSetting(
                f"Expected first, all or error for several captions of one clip, received {self.several!r}: choose one."
            )
        if self.column is not None and self.table is None:
            raise InvalidSetting("Expected a caption table beside --caption-column, received none: give --captions.")


class TableCaptions:
    """What the table of a plan says of videos; nothing, where the plan names none. Raises CaptionTableInvalid for a
    table that cannot be read, or that has several captions for a clip where that is an error."""

    def __init__(self, plan: CaptionPlan, videos: Sequence[VideoFile], *, table: CaptionTable | None = None) -> None:
        if table is None and plan.table is not None:
            table = read_table(plan.table, caption_column=plan.column)
        self._all = plan.several == "all"
        self._matches = Matches(table or _EMPTY, VideoNames(videos), videos)
        self._table = table
        if plan.several == "error":
            _require_one_caption_each(self._matches)

    @property
    def has_windows(self) -> bool:
        """Whether any row of a video gives a window."""
        return any(row.window for rows in self._matches.of_video.values() for row in rows)

    def windows(self, source: str) -> set[ClipWindow]:
        """The windows that rows give the clips of a video."""
        return {row.window for row in self._matches.of_video.get(source, ()) if row.window is not None}

    def of(self, source: str, window: ClipWindow) -> tuple[str, ...]:
        """The captions of a clip: one, alternatives, or none."""
        texts = texts_of(self._matches.rows_of(source, window))
        return texts if self._all else texts[:1]

    def counts(self) -> CaptionCounts:
        """The account of the table's rows."""
        if self._table is None:
            return CaptionCounts()
        matches, table = self._matches, self._table
        return CaptionCounts(
            table=str(table.path),
            column=table.column,
            rows=len(table.rows) + len(table.problems),
            unusable=len(table.problems),
            matched=matches.matched,
            ambiguous=tuple(row.name for row in matches.ambiguous),
            unmatched=tuple(row.name for row in matches.unmatched),
            empty=sum(not row.caption for row in table.rows),
            several=sum(len(several_captions(rows)) for rows in matches.of_video.values()),
            problems=table.problems,
        )


_EMPTY = CaptionTable(path=Path(), column="", rows=(), problems=())


@dataclass(frozen=True)
class ClipCaption:
    """texts: alternatives, at least one. source: where they come from."""

    texts: tuple[str, ...]
    source: Source


class Captions:
    """Captions of found videos, from everywhere. Raises as TableCaptions."""

    def __init__(self, plan: CaptionPlan, videos: Sequence[VideoFile]) -> None:
        self.plan = plan
        self.table = TableCaptions(plan, videos)
        found, self._problems = metadata_tables(videos)
        # The table that was named may be the folder's own.
        named = None if plan.table is None else plan.table.resolve()
        others = [table for table in found if table.path.resolve() != named]
        self._metadata = [TableCaptions(plan, videos, table=table) for table in others]

    def windows(self, video: VideoFile) -> tuple[ClipWindow, ...]:
        """The windows that the rows of the video give its clips, in time; empty where they give none."""
        for table in (self.table, *self._metadata):
            if found := table.windows(video.source):
                return tuple(sorted(found))
        return ()

    @property
    def has_windows(self) -> bool:
        """Whether any row of a video that was found gives a window."""
        return any(table.has_windows for table in (self.table, *self._metadata))

    def of(self, video: VideoFile, window: ClipWindow) -> ClipCaption | None:
        """The caption of a clip, or None."""
        if texts := self.table.of(video.source, window):
            return ClipCaption(texts, "table")
        if text := self._beside(video):
            return ClipCaption((text,), "sidecar")
        for table in self._metadata:
            if texts := table.of(video.source, window):
                return ClipCaption(texts, "metadata")
        return None

    def counts(self) -> CaptionCounts:
        """The account of the table, and what else could not be read; that of the clips is the build's."""
        of_table = self.table.counts()
        return replace(of_table, problems=(*of_table.problems, *self._problems))

    def _beside(self, video: VideoFile) -> str | None:
        try:
            return read_sidecar(video.path)
        except OSError as error:
            self._problems.append(f"the caption beside {video.path} cannot be read: {error.strerror or error}")
            return None


def _require_one_caption_each(matches: Matches) -> None:
    for source, rows in matches.of_video.items():
        for of_clip in several_captions(rows):
            raise CaptionTableInvalid(
                f"Expected one caption for each clip, received {len(texts_of(of_clip))} for {source} in "
                f"{matches.table.path.name} ({', '.join(row.place for row in of_clip)}): remove all but one, or choose "
                "first or all (--several-captions)."
            )

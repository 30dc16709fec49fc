"""The captions of a build: for each clip those of its table's rows, else of the file beside its video, else of the
folder's metadata; and the account of which rows and clips found none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from index_builder.captions.counts import CaptionCounts, Source
from index_builder.captions.folder_metadata import metadata_tables
from index_builder.captions.matching import Matches, VideoNames
from index_builder.captions.sidecars import read_sidecar
from index_builder.captions.table import CaptionRow, read_table
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
                f"expected first, all or error for several captions of one clip, received {self.several!r}: choose one"
            )
        if self.column is not None and self.table is None:
            raise InvalidSetting("expected a caption table beside --caption-column, received none: give --captions")


@dataclass(frozen=True)
class ClipCaption:
    """texts: alternatives, at least one. source: where they come from."""

    texts: tuple[str, ...]
    source: Source


class Captions:
    """Captions of found videos. Raises CaptionTableInvalid when made of a table that cannot be read."""

    def __init__(self, plan: CaptionPlan, videos: Sequence[VideoFile]) -> None:
        self.plan = plan
        names = VideoNames(videos)
        table = None if plan.table is None else read_table(plan.table, caption_column=plan.column)
        self._table = None if table is None else Matches(table, names, videos)
        # The table that was named may be the folder's own.
        found, self._problems = metadata_tables(videos)
        named = None if plan.table is None else plan.table.resolve()
        self._metadata = [Matches(other, names, videos) for other in found if other.path.resolve() != named]
        if plan.several == "error":
            for matches in (self._table, *self._metadata):
                if matches is not None:
                    _require_one_caption_each(matches)

    def windows(self, video: VideoFile) -> tuple[ClipWindow, ...]:
        """The windows that the rows of the video give its clips, in time; empty where they give none."""
        return tuple(sorted({row.window for row in self._rows(video) if row.window is not None}))

    @property
    def has_windows(self) -> bool:
        """Whether any row of a video that was found gives a window."""
        tables = (self._table, *self._metadata)
        return any(row.window for matches in tables if matches for rows in matches.of_video.values() for row in rows)

    def of_row(self, source: str, start_sec: float, end_sec: float) -> ClipCaption | None:
        """What the table says of a clip that is indexed, by its video's path and its window."""
        return self._of(self._table, source, ClipWindow(round(start_sec * 1000), round(end_sec * 1000)), "table")

    def of(self, video: VideoFile, window: ClipWindow) -> ClipCaption | None:
        """The caption of a clip, or None."""
        if found := self._of(self._table, video.source, window, "table"):
            return found
        if text := self._beside(video):
            return ClipCaption((text,), "sidecar")
        candidates = (self._of(matches, video.source, window, "metadata") for matches in self._metadata)
        return next((found for found in candidates if found), None)

    def counts(self) -> CaptionCounts:
        """The account of the table; that of the clips is the build's."""
        if self._table is None:
            return CaptionCounts(problems=tuple(self._problems))
        matches = self._table
        return CaptionCounts(
            table=str(matches.table.path),
            column=matches.table.column,
            rows=len(matches.table.rows) + len(matches.table.problems),
            unusable=len(matches.table.problems),
            matched=matches.matched,
            ambiguous=tuple(row.name for row in matches.ambiguous),
            unmatched=tuple(row.name for row in matches.unmatched),
            empty=sum(not row.caption for row in matches.table.rows),
            several=sum(len(_several(rows)) for rows in matches.of_video.values()),
            problems=(*matches.table.problems, *self._problems),
        )

    def _rows(self, video: VideoFile) -> list[CaptionRow]:
        for matches in (self._table, *self._metadata):
            if matches and video.source in matches.of_video:
                return matches.of_video[video.source]
        return []

    def _of(self, matches: Matches | None, video: str, window: ClipWindow, source: Source) -> ClipCaption | None:
        rows = [] if matches is None else matches.of_video.get(video, [])
        texts = _texts(_rows_of_clip(rows, window))
        if not texts:
            return None
        return ClipCaption(texts if self.plan.several == "all" else texts[:1], source)

    def _beside(self, video: VideoFile) -> str | None:
        try:
            return read_sidecar(video.path)
        except OSError as error:
            self._problems.append(f"the caption beside {video.path} cannot be read: {error.strerror or error}")
            return None


def _rows_of_clip(rows: Sequence[CaptionRow], window: ClipWindow) -> list[CaptionRow]:
    """Those of this very window (a video may end before the row does), else those that speak of the whole video."""
    own = [row for row in rows if row.window == window]
    own = own or [row for row in rows if row.window is not None and row.window.start_ms == window.start_ms]
    return own or [row for row in rows if row.window is None]


def _texts(rows: Sequence[CaptionRow]) -> tuple[str, ...]:
    """Their captions, each once."""
    return tuple(dict.fromkeys(row.caption for row in rows if row.caption))


def _several(rows: Sequence[CaptionRow]) -> list[list[CaptionRow]]:
    """The rows of each clip that has several different captions."""
    clips: dict[ClipWindow | None, list[CaptionRow]] = {}
    for row in rows:
        clips.setdefault(row.window, []).append(row)
    return [of_clip for of_clip in clips.values() if len(_texts(of_clip)) > 1]


def _require_one_caption_each(matches: Matches) -> None:
    for source, rows in matches.of_video.items():
        for of_clip in _several(rows):
            raise CaptionTableInvalid(
                f"expected one caption for each clip, {matches.table.path.name} has {len(_texts(of_clip))} for "
                f"{source} ({', '.join(row.place for row in of_clip)}): remove all but one, or choose first or all "
                "(--several-captions)"
            )

"""Videos that were moved or renamed: found again by their content, and the paths that rows store corrected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index_builder.clips.allowed_folders import note_folders
from index_builder.clips.find import VideoFile, find_videos
from index_builder.content_hash import sha256_of
from index_builder.database.commit.publisher import Publisher, writing
from index_builder.database.maintain.rewrite_rows import RowChange, rewrite_rows
from index_builder.database.search.reader import MotionDatabase

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class MovedVideo:
    """A video that lies elsewhere now, and how many rows come from it."""

    before: str
    after: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class RelocateReport:
    """moved: what was found (with `dry_run` nothing was changed); missing: videos of rows that lie neither where the
    rows say nor in the folders searched; present: videos that lie where the rows say."""

    database: str
    generation: int
    moved: tuple[MovedVideo, ...]
    missing: tuple[str, ...]
    present: int
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def relocate_videos(
    database: Path, inputs: Sequence[Path], *, dry_run: bool = False, progress: Progress | None = None
) -> RelocateReport:
    """Looks in `inputs` (see `find_videos`) for the videos of rows that are no longer where they were, and stores their
    new paths, in one commit. Only files of a missing video's size are read. `progress` hears files read and files in
    all. Raises InputNotFound, DatabaseNotFound, DatabaseDamaged, DatabaseNotWritable, CommitConflict.
    """
    opened = MotionDatabase.open(database)
    reader = opened.with_removed()
    rows_of: dict[str, list[str]] = defaultdict(list)
    sizes: dict[str, int] = {}
    for row_id, source, size in reader.each_row("id", "source", "source_size_bytes"):
        rows_of[source].append(row_id)
        sizes[source] = size
    gone = [source for source in rows_of if not Path(source).is_file()]
    found = _by_content(inputs, {sizes[source] for source in gone}, progress)
    moved: list[MovedVideo] = []
    changes: dict[str, RowChange] = {}
    for source in gone:
        video = found.get(_content(rows_of[source][0]))
        if video is not None:
            moved.append(MovedVideo(before=source, after=video.source, rows=len(rows_of[source])))
            values = {"source": video.source, "source_mtime_ns": video.mtime_ns}
            changes |= dict.fromkeys(rows_of[source], RowChange(values=values))
    generation = opened.generation
    if changes and not dry_run:
        with writing(database, remedy="run the command again"), Publisher.open(database) as publisher:
            rewrite_rows(publisher, changes)
            generation = publisher.current().generation
    return RelocateReport(
        database=str(database),
        generation=generation,
        moved=tuple(moved),
        missing=tuple(sorted(set(gone) - {video.before for video in moved})),
        present=len(rows_of) - len(gone),
        dry_run=dry_run,
    )


def _content(row_id: str) -> str:
    """The part of a row's id that its video's content gives."""
    return row_id.split("@")[0]


def _by_content(inputs: Sequence[Path], sizes: set[int], progress: Progress | None) -> dict[str, VideoFile]:
    """The videos of these sizes, by the start of their hash as ids have it; of copies the first. A file that cannot be
    read is no find."""
    entries = [entry for entry in find_videos(inputs) if isinstance(entry, VideoFile)]
    note_folders(video.root for video in entries)
    videos = [video for video in entries if video.size_bytes in sizes]
    found: dict[str, VideoFile] = {}
    for done, video in enumerate(videos, start=1):
        try:
            found.setdefault(sha256_of(video.path)[:32], video)
        except OSError:
            continue
        finally:
            if progress:
                progress(done, len(videos))
    return found

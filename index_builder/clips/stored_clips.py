"""Clips of a database's rows, read from their videos once more: only from files that may be read and still have the
content that was indexed, in a process that can be killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.decode import DecodedClip
from index_builder.clips.messages import Inspected
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.windows import ClipWindow
from index_builder.errors import ClipUnreadable

if TYPE_CHECKING:
    from index_builder.database.format.rows import ClipRow

Progress = Callable[[int, int], None]


def read_stored_clips(
    rows: Sequence[ClipRow],
    *,
    allowed: AllowedFolders,
    reading: Reading,
    roots: Sequence[Path] = (),
    limits: DecodeLimits | None = None,
    progress: Progress | None = None,
) -> list[DecodedClip | str]:
    """Of each row its clip, or why there is none. `roots`: what relative sources begin at. `progress` hears clips read
    and clips in all, also while it waits: what it raises ends the reading at once."""
    found: list[DecodedClip | str] = []

    def tell() -> None:
        if progress is not None:
            progress(len(found), len(rows))

    with ClipReader(limits=limits, waiting=tell) as reader:
        for row in rows:
            tell()
            try:
                found.append(_read(reader, row, allowed.checked(row.source, roots=roots), reading))
            except ClipUnreadable as error:
                found.append(str(error))
        tell()
    return found


def inspect_indexed(reader: ClipReader, path: Path, row_id: str) -> Inspected:
    """The video that the row of this id was made from. Raises ClipUnreadable, also for another file of that name."""
    inspected = reader.inspect(path)
    # A row's id begins with its video's hash: another file of this name is another clip.
    if inspected.content_sha256[:32] != row_id.split("@")[0]:
        raise ClipUnreadable("its content is not what was indexed")
    return inspected


def _read(reader: ClipReader, row: ClipRow, path: Path, reading: Reading) -> DecodedClip:
    inspected = inspect_indexed(reader, path, row.id)
    if row.start_sec >= inspected.timeline.duration_sec:
        raise ClipUnreadable(f"its span begins behind the {inspected.timeline.duration_sec:.3f} s of the video")
    return reader.clip(inspected, ClipWindow(round(row.start_sec * 1000), round(row.end_sec * 1000)), reading)

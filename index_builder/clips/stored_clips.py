"""Clips of a database's rows, read from their videos once more: only from files that may be read and still have the
content that was indexed, in a process that can be killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.clips.decode import DECODERS, DecodedClip
from index_builder.clips.find import VideoFile, stamp
from index_builder.clips.messages import Answer, Decoded, DecodeTask, Failed, Inspected, InspectTask
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.windows import ClipWindow, PlannedClip
from index_builder.clips.workers import DecodePool
from index_builder.errors import ClipUnreadable

if TYPE_CHECKING:
    from index_builder.database.format.rows import ClipRow

Progress = Callable[[int, int], None]


def read_stored_clips(
    rows: Sequence[ClipRow],
    *,
    allowed: AllowedFolders,
    reading: Reading,
    limits: DecodeLimits | None = None,
    progress: Progress | None = None,
) -> list[DecodedClip | str]:
    """Of each row its clip, or why there is none. `progress` hears clips read and clips in all, also while it waits:
    what it raises ends the reading at once."""
    found: list[DecodedClip | str] = []
    with DecodePool(workers=1, limits=limits) as pool:

        def tell() -> None:
            if progress is not None:
                progress(len(found), len(rows))

        for row in rows:
            tell()
            try:
                found.append(_read(pool, row, allowed.checked(row.source), reading, tell))
            except ClipUnreadable as error:
                found.append(str(error))
        tell()
    return found


def _read(pool: DecodePool, row: ClipRow, path: Path, reading: Reading, tell: Callable[[], None]) -> DecodedClip:
    size_bytes, mtime_ns = stamp(path.stat())
    video = VideoFile(path=path, root=path.parent, size_bytes=size_bytes, mtime_ns=mtime_ns)
    inspected = _answer(pool, InspectTask(video=video), tell)
    if not isinstance(inspected, Inspected):
        raise ClipUnreadable(_reason(inspected))
    # A row's id begins with its video's hash: another file of this name is another clip.
    if inspected.content_sha256[:32] != row.id.split("@")[0]:
        raise ClipUnreadable("its content is not what was indexed")
    if row.start_sec >= inspected.timeline.duration_sec:
        raise ClipUnreadable(f"its span begins behind the {inspected.timeline.duration_sec:.3f} s of the video")
    window = ClipWindow(round(row.start_sec * 1000), round(row.end_sec * 1000))
    task = DecodeTask(
        clips=(PlannedClip(video=video, window=window, row_id=row.id),),
        timeline=inspected.timeline,
        reading=reading,
        decoders=DECODERS,
    )
    answer = _answer(pool, task, tell)
    if not isinstance(answer, Decoded):
        raise ClipUnreadable(_reason(answer))
    return answer.clip


def _answer(pool: DecodePool, task: InspectTask | DecodeTask, tell: Callable[[], None]) -> Answer:
    pool.submit(task)
    while (answer := pool.next_answer()) is None:
        tell()
    return answer


def _reason(answer: Answer) -> str:
    return answer.reason if isinstance(answer, Failed) else "it cannot be read"

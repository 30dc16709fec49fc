"""Proxy clips: small copies of a database's clips, so that who gets the database can see them and take their frames.

The rows of a database with proxies are those of its proxies: a row's source is its proxy, its id begins with the
proxy's hash, and it spans the whole of it. So all that reads clips, and checks what it reads, reads proxies too.
Embeddings and tokens stay those of the videos themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.film_files import write_mp4
from index_builder.clips.messages import Inspected
from index_builder.clips.reading import Reading
from index_builder.clips.stored_clips import inspect_indexed
from index_builder.clips.windows import ClipWindow, row_id
from index_builder.content_hash import sha256_of
from index_builder.database.commit import durable_files
from index_builder.database.commit.publisher import Publisher
from index_builder.database.format.rows import ClipRow
from index_builder.database.maintain.rewrite_rows import RowChange, rewrite_rows
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import ClipUnreadable

FOLDER = "proxies"
SHORT_SIDE_PIXELS, LEAST_FPS, MOST_FPS, CRF = 256, 1.0, 16.0, 28

Progress = Callable[[int, int], None]


def add_proxies(
    database: Path, *, sources: AllowedFolders, roots: Sequence[Path] = (), progress: Progress | None = None
) -> list[str]:
    """Writes a proxy of every clip into `database`, whose rows it changes; returns why clips have none.

    Videos are read in a process that can be killed, below `sources` only, and with the content that was indexed alone.
    `roots`: what relative sources begin at. `progress` hears clips done and clips in all. A clip without a proxy keeps
    its source. Raises DatabaseDamaged, DatabaseNotWritable.
    """
    opened = MotionDatabase.open(database)
    ids, changes, missing = opened.ids(), {}, []
    durable_files.make_folder(database / FOLDER)
    with ClipReader() as reader:
        inspected: dict[Path, Inspected] = {}
        for done, row in enumerate(opened.rows(ids)):
            if progress:
                progress(done, len(ids))
            try:
                path = sources.checked(row.source, roots=roots)
                if path not in inspected:
                    inspected = {path: inspect_indexed(reader, path, row.id)}
                changes[row.id] = _written(reader, inspected[path], row, database / FOLDER)
            except ClipUnreadable as error:
                missing.append(f"{row.source}: {error}")
    with Publisher.open(database) as publisher:
        if changes:
            rewrite_rows(publisher, changes)
            publisher.publish(lambda base: replace(base, roots=(FOLDER,)))
    return missing


def _written(reader: ClipReader, inspected: Inspected, row: ClipRow, folder: Path) -> RowChange:
    """The row of the proxy that it writes."""
    fps = min(max(row.fps, LEAST_FPS), MOST_FPS)
    count = max(1, round((row.end_sec - row.start_sec) * fps))
    window = ClipWindow(round(row.start_sec * 1000), round(row.end_sec * 1000))
    short_side = min(SHORT_SIDE_PIXELS, row.width, row.height)
    clip = reader.clip(inspected, window, Reading(frames=count, short_side=short_side))
    # H.264 stores pairs of rows and of columns: an odd one out stands twice.
    height, width = clip.frames.shape[1:3]
    frames = np.pad(clip.frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    unnamed = folder / "unnamed.mp4"
    # With the row's id inside, since clips that look alike may not become one.
    write_mp4(unnamed, frames, fps=fps, crf=CRF, comment=row.id)
    sha256, status = sha256_of(unnamed), unnamed.stat()
    span = ClipWindow(0, round(count / fps * 1000))
    path = folder / f"{sha256[:32]}.mp4"
    os.replace(unnamed, path)
    values = {
        "id": row_id(sha256, span),
        "source": path.name,
        "start_sec": span.start_sec,
        "end_sec": span.end_sec,
        "fps": fps,
        "width": frames.shape[2],
        "height": frames.shape[1],
        "source_size_bytes": status.st_size,
        "source_mtime_ns": 0,
    }
    return RowChange(values=values)

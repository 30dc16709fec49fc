"""Hugging Face's metadata files: a metadata.csv, .jsonl or .parquet in a folder names the files below it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from index_builder.captions.table import CaptionTable, read_table
from index_builder.clips.find import VideoFile
from index_builder.errors import CaptionTableInvalid

NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def metadata_tables(videos: Iterable[VideoFile]) -> tuple[list[CaptionTable], list[str]]:
    """The tables in the videos' folders, up to the inputs they were found under, and what was wrong with others."""
    folders: dict[Path, None] = {}
    for video in videos:
        folder = video.path.parent
        while folder not in folders:
            folders[folder] = None
            if folder == video.root or not folder.is_relative_to(video.root):
                break
            folder = folder.parent
    tables, problems = [], []
    for path in (folder / name for folder in folders for name in NAMES):
        try:
            if path.is_file():
                tables.append(read_table(path))
        except (CaptionTableInvalid, OSError) as error:
            # Nobody named this file: a table of other things is no reason to stop.
            problems.append(f"{path}: {error}")
    return tables, problems

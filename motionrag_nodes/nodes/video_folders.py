"""Folders of videos that Index Folder may read: ComfyUI's input folder and those that a user configured, nothing else.

Configured are folders under `motion_videos` in extra_model_paths.yaml and in the environment variable MOTIONRAG_VIDEOS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import folder_paths

from index_builder.clips.find import VIDEO_SUFFIXES
from motionrag_nodes.nodes import samples
from motionrag_nodes.nodes.model_folders import choose

KIND = "motion_videos"
VARIABLE = "MOTIONRAG_VIDEOS"
SIDECARS = "(text files beside the videos)"
_TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
_MAX_DEPTH = 4
_REMEDY = (
    f"Put videos there and press R in the editor, or name a folder of yours under {KIND} in extra_model_paths.yaml or "
    f"in {VARIABLE}, and restart ComfyUI"
)


def folders() -> dict[str, Path]:
    """Folders that hold videos, at any depth below, by the name of their root and their path in it."""
    found: dict[str, Path] = {}
    for root in roots():
        found.update({name: path for name, path in _named(root, VIDEO_SUFFIXES) if name not in found})
    return found


def caption_tables() -> dict[str, Path]:
    """Caption tables in the allowed folders by the same kind of name."""
    found: dict[str, Path] = {}
    for root in roots():
        for folder in _walk(root):
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() in _TABLES and path.is_file():
                    found.setdefault(f"{root.name}/{path.relative_to(root).as_posix()}", path)
    return found


def folder(name: str) -> Path:
    """The folder of a name. Raises ChoiceNotFound."""
    return choose("folder of videos", name, folders(), roots(), expected="a video", remedy=_REMEDY)


def captions(name: str) -> Path | None:
    """The table of a name; None for the text files beside the videos. Raises ChoiceNotFound."""
    if name == SIDECARS:
        return None
    remedy = "Put the table (columns path and caption) into the folder of the videos and press R in the editor"
    return choose("caption table", name, caption_tables(), roots(), expected="the table itself", remedy=remedy)


def files_below(folder: Path) -> list[Path]:
    """Every video, and the text files that may be captions, as a build would find them."""
    wanted = {*VIDEO_SUFFIXES, ".txt", ".json"}
    return [
        Path(base, name)
        for base, _, names in os.walk(folder)
        for name in sorted(names)
        if Path(name).suffix.lower() in wanted and Path(base, name).is_file()
    ]


def roots() -> list[Path]:
    """ComfyUI's input folder, the configured ones, and the clips that the package brings."""
    configured = folder_paths.folder_names_and_paths.get(KIND, ([], set()))[0]
    named = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    return [Path(path) for path in (folder_paths.get_input_directory(), *configured, *named, samples.CLIPS)]


def _named(root: Path, suffixes: frozenset[str]) -> Iterator[tuple[str, Path]]:
    """The folders at or below `root` that hold a file of these kinds, themselves or further down."""
    holders: set[Path] = set()
    for folder in _walk(root):
        if any(path.suffix.lower() in suffixes and path.is_file() for path in folder.iterdir()):
            holders.update(path for path in (folder, *folder.parents) if path == root or root in path.parents)
    for holder in sorted(holders):
        inside = holder.relative_to(root).as_posix()
        yield (root.name if inside == "." else f"{root.name}/{inside}"), holder


def _walk(root: Path) -> Iterator[Path]:
    """`root` and the folders below it; hidden ones and links are passed by, since links lead out."""
    for base, names, _ in os.walk(root):
        folder = Path(base)
        deep = len(folder.relative_to(root).parts) >= _MAX_DEPTH
        names[:] = [] if deep else sorted(n for n in names if not n.startswith(".") and not (folder / n).is_symlink())
        yield folder

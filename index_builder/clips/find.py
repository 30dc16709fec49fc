"""Finding videos: every file of the input folders that is a video, in one fixed order, never outside the folders."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index_builder.errors import InputNotFound

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .wmv .flv .ts .m2ts .mts .3gp .ogv .vob .y4m .mxf".split()
)


@dataclass(frozen=True, kw_only=True)
class VideoFile:
    """A video that was found: its absolute path and the input it was found under."""

    path: Path
    root: Path
    size_bytes: int
    mtime_ns: int

    @property
    def source(self) -> str:
        """The name the database stores: the absolute path."""
        return str(self.path)


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """A directory entry that looks like an input but is not one; `reason` says why."""

    path: str
    reason: str
    failed: bool


def find_videos(inputs: Sequence[Path]) -> list[VideoFile | Unusable]:
    """All videos under `inputs` (folders, searched recursively, or files), each path once, sorted within each input.

    No symlink to a folder is followed, and none to a file outside its input folder; these come back as `Unusable`.
    A file named outright is taken whatever its suffix. An input that does not exist but holds * ? or [...] is a
    pattern; ** stands for any depth. Raises InputNotFound for an input that does not exist and
    when nothing at all was found.
    """
    if not inputs:
        raise InputNotFound(
            "expected at least one folder or video, received none: name one, e.g. motionrag index build clips/"
        )
    found: dict[str, VideoFile | Unusable] = {}
    for given in (path for pattern in inputs for path in _expanded(pattern)):
        root = Path(os.path.abspath(given))
        entries = _walk(root.resolve()) if root.is_dir() else iter([_entry(root.resolve(), root.resolve().parent)])
        for entry in entries:
            found.setdefault(str(entry.path), entry)
    if not found:
        raise InputNotFound(
            f"expected videos ({', '.join(sorted(VIDEO_SUFFIXES))}) under {', '.join(map(str, inputs))}, found none: "
            "name the folder that holds your clips"
        )
    return list(found.values())


def _expanded(given: Path) -> list[Path]:
    """The input itself, or what its pattern matches. Raises InputNotFound."""
    if given.exists():
        return [given]
    matched = sorted(glob.glob(str(given), recursive=True), key=os.fsencode) if glob.has_magic(str(given)) else []
    if not matched:
        raise InputNotFound(
            f"expected an existing folder, video or pattern, received {given}, which does not exist: check the path"
        )
    return [Path(path) for path in matched]


def _walk(root: Path) -> Iterator[VideoFile | Unusable]:
    """Depth first, names in byte order, so that the order depends on no file system."""
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            names = sorted(os.listdir(folder), key=os.fsencode)
        except OSError as error:
            yield Unusable(path=str(folder), reason=f"the folder cannot be read: {error.strerror}", failed=True)
            continue
        subfolders = []
        for name in names:
            path = folder / name
            is_video = path.suffix.lower() in VIDEO_SUFFIXES
            if path.is_symlink() and not path.is_dir() and not is_video:
                continue
            if path.is_symlink() and path.is_dir():
                yield Unusable(path=str(path), reason="a symlink to a folder is not followed", failed=False)
            elif path.is_dir():
                subfolders.append(path)
            elif is_video:
                yield _entry(path, root)
        pending.extend(reversed(subfolders))


def _entry(path: Path, root: Path) -> VideoFile | Unusable:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", errors="backslashreplace")
        return Unusable(path=shown, reason="its name is not valid UTF-8: rename the file", failed=True)
    try:
        status = path.stat()
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        return Unusable(path=str(path), reason=f"the file cannot be opened: {error}", failed=True)
    if path.is_symlink() and not target.is_relative_to(root):
        return Unusable(path=str(path), reason="a symlink leads out of the input folder", failed=False)
    if not stat.S_ISREG(status.st_mode):
        return Unusable(path=str(path), reason="not a regular file", failed=False)
    return VideoFile(path=path, root=root, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)

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
    (
        ".mp4 .m4v .mov .qt .mkv .webm .avi .divx .mpg .mpeg .mpe .m2v .wmv .asf .flv .f4v .ts .m2ts .mts .3gp .3g2 "
        ".ogv .ogm .vob .y4m .mxf .dv .gif .webp"
    ).split()
)
# Where they hold one picture, they are no videos.
PICTURE_SUFFIXES = frozenset({".gif", ".webp"})
# What systems and storage boxes put among the files of people: previews, versions, what was deleted.
SYSTEM_FOLDERS = frozenset(
    {"@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "lost+found"}
    | {"system volume information"}
)
# The other half of a file that macOS writes on disks that know no resource forks.
APPLE_DOUBLE = "._"
# The database stores times of change as int64.
MAX_NS = 2**63 - 1


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
    Hidden folders, those of systems and storage boxes, `._` files and GIF or WebP files of one picture are passed by.
    A file named outright is taken whatever its suffix. An input that does not exist but holds * ? or [...] is a pattern
    of folders and videos; ** stands for any depth. Raises InputNotFound for an input that does not exist and when
    nothing at all was found.
    """
    if not inputs:
        raise InputNotFound(
            "Expected at least one folder or video, received none: name one, e.g. motionrag index build clips/."
        )
    found: dict[str, VideoFile | Unusable] = {}
    for given in (path for pattern in inputs for path in _expanded(pattern)):
        root = Path(os.path.abspath(given))
        for entry in _entries(root):
            found.setdefault(str(entry.path), entry)
    if not found:
        raise InputNotFound(
            f"Expected videos ({', '.join(sorted(VIDEO_SUFFIXES))}) under {', '.join(map(str, inputs))}, found none: "
            "name the folder that holds your clips."
        )
    return list(found.values())


def is_video_name(name: str) -> bool:
    """Whether a file of this name is taken for a video (of a picture's suffix: if it moves)."""
    return Path(name).suffix.lower() in VIDEO_SUFFIXES and not name.startswith(APPLE_DOUBLE)


def is_passed_by(folder_name: str) -> bool:
    """Whether what lies in a folder of this name is nobody's footage."""
    return folder_name.startswith(".") or folder_name.lower() in SYSTEM_FOLDERS


def stamp(status: os.stat_result) -> tuple[int, int]:
    """(bytes, time of change in ns): while these stay, a file counts as unchanged. Times beyond an int64, as
    wrong clocks leave them, become the latest or the earliest that fits."""
    return status.st_size, max(-MAX_NS, min(status.st_mtime_ns, MAX_NS))


def _entries(root: Path) -> Iterator[VideoFile | Unusable]:
    """Of an input that exists."""
    try:
        resolved = root.resolve()
        is_folder = stat.S_ISDIR(resolved.stat().st_mode)
    except (OSError, RuntimeError) as error:
        yield Unusable(path=_shown(root), reason=f"it cannot be read: {_plain(error)}", failed=True)
        return
    if is_folder:
        yield from _walk(resolved)
    else:
        yield _entry(resolved, resolved.parent)


def _expanded(given: Path) -> list[Path]:
    """The input itself, or the folders and videos that its pattern matches. Raises InputNotFound."""
    # Whatever the file system has under this name exists, though it may not be looked into.
    if os.path.lexists(given) or _is_forbidden(given):
        return [given]
    matched = sorted(glob.glob(str(given), recursive=True), key=os.fsencode) if glob.has_magic(str(given)) else []
    if not matched:
        raise InputNotFound(
            f"Expected an existing folder, video or pattern, received {given}, which does not exist: check the path."
        )
    paths = [Path(path) for path in matched]
    return [path for path in paths if os.path.isdir(path) or (is_video_name(path.name) and _moves(path))]


def _is_forbidden(path: Path) -> bool:
    try:
        path.lstat()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _walk(root: Path) -> Iterator[VideoFile | Unusable]:
    """Depth first, names in byte order, so that the order depends on no file system."""
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            # Its kind comes with a name, so that a folder that may only be listed can be walked too.
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            yield Unusable(path=_shown(folder), reason=f"the folder cannot be read: {error.strerror}", failed=True)
            continue
        subfolders = []
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                if not is_passed_by(entry.name):
                    subfolders.append(path)
            elif entry.is_symlink() and os.path.isdir(path):
                yield Unusable(path=_shown(path), reason="a symlink to a folder is not followed", failed=False)
            elif is_video_name(entry.name) and _moves(path):
                yield _entry(path, root)
        pending.extend(reversed(subfolders))


def _moves(path: Path) -> bool:
    """False for a GIF or WebP of a single picture, such as a cover; what cannot be read may move."""
    if path.suffix.lower() not in PICTURE_SUFFIXES or not path.is_file():
        return True
    from PIL import Image

    try:
        with Image.open(path, formats=["GIF", "WEBP"]) as picture:
            return bool(getattr(picture, "is_animated", False))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return True


def _entry(path: Path, root: Path) -> VideoFile | Unusable:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return Unusable(path=_shown(path), reason="its name is not valid UTF-8: rename the file", failed=True)
    try:
        status = path.stat()
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        return Unusable(path=str(path), reason=f"the file cannot be opened: {_plain(error)}", failed=True)
    if path.is_symlink() and not target.is_relative_to(root):
        return Unusable(path=str(path), reason="a symlink leads out of the input folder", failed=False)
    if not stat.S_ISREG(status.st_mode):
        return Unusable(path=str(path), reason="not a regular file", failed=False)
    size_bytes, mtime_ns = stamp(status)
    return VideoFile(path=path, root=root, size_bytes=size_bytes, mtime_ns=mtime_ns)


def _shown(path: Path) -> str:
    """Names that are not UTF-8 with their bytes spelt out, so that they can be stored and printed."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def _plain(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)

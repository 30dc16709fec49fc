"""The file system calls a database is written by: every write, fsync, rename, link and removal passes through here.

One narrow place makes durability reviewable, and lets tests stop a build between any two calls. Call the functions
through the module (`durable_files.rename(...)`), never by a name imported from it.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Makes `folder` and its parents where missing."""
    folder.mkdir(parents=True, exist_ok=True)


def write_new(path: Path, data: bytes | memoryview) -> None:
    """Writes a file that must not exist yet; not durable before `fsync_file`."""
    with path.open("xb") as stream:
        stream.write(data)


def append(path: Path, data: bytes) -> None:
    """Adds to the end of a file."""
    with path.open("ab") as stream:
        stream.write(data)


def fsync_file(path: Path) -> None:
    """Returns when the file's content is on the disk."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def fsync_folder(folder: Path) -> None:
    """Returns when the folder's entries are on the disk; nothing to do where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename(source: Path, target: Path) -> None:
    """Moves a finished file or folder to its final name, in one step."""
    os.rename(source, target)


def replace(source: Path, target: Path) -> None:
    """Moves a finished file to its final name, over a file that has it, in one step."""
    os.replace(source, target)


def link(source: Path, target: Path) -> None:
    """Gives a file that never changes a second name, which must be new; a copy where the file system has no hard links.

    The copy is not whole at once: only for a folder that nobody else looks into yet.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        with source.open("rb") as stream, target.open("xb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
        fsync_file(target)


def remove(path: Path) -> None:
    """Removes a file; one that is gone already is as good."""
    path.unlink(missing_ok=True)


def remove_tree(folder: Path) -> None:
    """Removes a folder with all it holds; one that is gone already is as good."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_empty(folder: Path) -> None:
    """Removes a folder unless it holds something; one that is gone already is as good."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise

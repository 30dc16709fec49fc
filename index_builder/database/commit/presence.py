"""Presence: which builders are at work on a database, so that only what dead ones left behind is cleaned away.

A builder holds a lock on `.builders/<builder>.lock` for as long as it lives; the operating system drops the lock when
it dies, however it dies. The file lists the names of what the builder is about to bring in. All unfinished files and
folders are called `.tmp-<builder>-...`.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import uuid
from pathlib import Path
from typing import IO

from index_builder.border import read_regular
from index_builder.database.commit import claims, durable_files
from index_builder.database.commit.claims import FOLDER as FOLDER
from index_builder.database.format.manifest import list_generations, manifest_path, read_manifest
from index_builder.errors import DatabaseDamaged, DatabaseNotWritable
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)
TEMPORARY = ".tmp-"
KEPT_MANIFESTS = 16
# What builders call segments and index files; anything else in their folders is a user's own and stays.
GENERATED_NAME = re.compile(r"[0-9a-f]{32}(\.faiss)?")
LOCKED_BYTE = 1 << 30
# How systems say that another process holds a lock (EACCES: Windows). All else means that there are no locks.
TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, *((errno.EACCES, errno.EDEADLK) if os.name == "nt" else ())}
LOCK_TRIES = 100
MAX_ANNOUNCED_BYTES = 64 << 20


class BuilderPresence:
    """This builder's lock and the prefix of its temporary names. `release` removes both."""

    def __init__(self, database: Path) -> None:
        """Raises DatabaseNotWritable where the file system knows no locks, or a folder of the database is a link."""
        self.database = database
        require_own_folders(database)
        durable_files.make_folder(database / FOLDER)
        for _ in range(LOCK_TRIES):
            self.builder = uuid.uuid4().hex
            self._path = _lock_path(database, self.builder)
            durable_files.write_new(self._path, b"")
            # A sweep may take the file for a dead builder's between its creation and the lock.
            try:
                self._stream = self._path.open("rb+")
            except FileNotFoundError:
                continue
            try:
                if try_lock(self._stream) and self._path.exists():
                    return
            except DatabaseNotWritable:
                self._stream.close()
                durable_files.remove(self._path)
                raise
            self._stream.close()
        raise DatabaseNotWritable(
            f"Expected to keep a lock file in {database / FOLDER}, but each of {LOCK_TRIES} was taken away: see what "
            "else writes there, then run the command again."
        )

    def temporary(self, name: str) -> str:
        """The name under which `name` is being made."""
        return f"{TEMPORARY}{self.builder}-{name}"

    def announce(self, name: str) -> None:
        """Notes that `name` (a segment or an index file) is about to be moved in place, before a manifest lists it."""
        durable_files.append(self._path, name.encode() + b"\n")

    def release(self) -> None:
        """Removes this builder's unfinished files and its lock."""
        _remove_temporaries(self.database, self.builder)
        self._stream.close()
        durable_files.remove(self._path)


def sweep(database: Path) -> None:
    """Removes what dead builders left, manifests beyond the newest 16, and what no manifest lists. What live builders
    are making or about to bring in stays."""
    leftovers = {entry.name[len(TEMPORARY) :].split("-")[0] for entry in _temporaries(database)}
    for builder in leftovers:
        if not _lock_path(database, builder).exists():
            _remove_temporaries(database, builder)
    for path in sorted((database / FOLDER).glob("*.lock")):
        _sweep_builder(database, path)
    for generation in list_generations(database)[KEPT_MANIFESTS:]:
        durable_files.remove(manifest_path(database, generation))
    remove_unlisted(database)


def _sweep_builder(database: Path, path: Path) -> None:
    try:
        if path.is_symlink():
            return
        stream = path.open("rb+")
    except OSError:
        return
    with stream:
        if not try_lock(stream):
            return
        logger.info("cleaning up after builder %s, which ended early", path.stem)
        _remove_temporaries(database, path.stem)
        durable_files.remove(path)


def remove_unlisted(database: Path) -> int:
    """Removes segments and index files that no manifest lists and no builder has announced; returns how many.

    The order of looking matters: what is in place was announced before, and a builder that is gone by the time its
    announcements are read claimed a number before it went, or never will, so the manifests, read last, list it.
    """
    in_place = [
        path for folder in ("segments", "indexes") for path in (database / folder).glob("*") if path.name[0] != "."
    ]
    announced: set[str] = set()
    for path in (database / FOLDER).glob("*.lock"):
        try:
            content = read_regular(path, most_bytes=MAX_ANNOUNCED_BYTES)
        except OSError:  # gone, or no builder's
            continue
        announced.update(content.decode("utf-8", errors="replace").split())
    claims.settle(database)
    listed = listed_names(database)
    if listed is None:
        return 0
    unlisted = [
        path for path in in_place if path.name not in announced | listed and GENERATED_NAME.fullmatch(path.name)
    ]
    for path in unlisted:
        _remove(path)
    return len(unlisted)


def listed_names(database: Path) -> set[str] | None:
    """Segments and index files that some manifest lists; None when a manifest is damaged, so that nobody knows."""
    names: set[str] = set()
    try:
        for generation in list_generations(database):
            manifest = read_manifest(database, generation)
            names.update(segment.name for segment in manifest.segments)
            names.update(index.path.rsplit("/", 1)[-1] for index in manifest.indexes)
    except DatabaseDamaged:
        return None
    return names


def _lock_path(database: Path, builder: str) -> Path:
    return database / FOLDER / f"{builder}.lock"


def _temporaries(database: Path) -> list[Path]:
    folders = (database, database / "segments", database / "indexes")
    return [path for folder in folders for path in folder.glob(f"{TEMPORARY}*")]


def _remove_temporaries(database: Path, builder: str) -> None:
    for path in _temporaries(database):
        if path.name.startswith(f"{TEMPORARY}{builder}-"):
            _remove(path)


def _remove(path: Path) -> None:
    """A link alone, never what it leads to."""
    durable_files.remove_tree(path) if path.is_dir() and not path.is_symlink() else durable_files.remove(path)


def require_own_folders(database: Path) -> None:
    """Raises DatabaseNotWritable where a folder of the database is a link: cleaning up would remove what lies there."""
    for name in (FOLDER, "segments", "indexes"):
        if (database / name).is_symlink():
            raise DatabaseNotWritable(
                f"Expected the folder {database / name} itself, found a link, and what lies elsewhere is not changed: "
                "put the folder in its place."
            )


def try_lock(stream: IO[bytes]) -> bool:
    """Takes the lock of an open file if it is free; it is dropped with the file or the process.

    Raises DatabaseNotWritable where the file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            # Windows locks are mandatory: lock a byte far behind the content, which stays writable.
            stream.seek(LOCKED_BYTE)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
            stream.seek(0)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in TAKEN:
            return False
        raise DatabaseNotWritable(
            f"Expected a file system with locks for {stream.name}, received {error}: mount it with locks (Lustre: the "
            "option flock; NFS: without nolock), or write to another disk and copy the result."
        ) from error
    return True

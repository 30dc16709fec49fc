"""Claims: how builders take the next manifest number one after another, whatever the file system.

A finished manifest lies alone in a folder, under a name that nobody else uses. Renaming that folder to
`.builders/claim-<N>` takes the number N: no file system renames a folder over one that holds something, so one builder
wins. Then the manifest moves to its final name. Whoever finds a claim does this, not its maker alone, so a builder that
sleeps or is killed in between holds nobody up, and what it claimed is committed.

A claim counts as long as no manifest has its number or a higher one. The highest number never falls, and the names are
looked at before it is: a claim that came too late, by a builder that slept, is seen as void by everybody, and because
names are never used twice nobody moves a void manifest in the belief that it is another one.
"""

from __future__ import annotations

import errno
import os
import re
import uuid
from pathlib import Path

from index_builder.database.commit import durable_files
from index_builder.database.format.manifest import list_generations, manifest_path
from index_builder.errors import DatabaseNotWritable

FOLDER = ".builders"
CLAIM_NAME = re.compile(r"claim-(\d{6,12})")
LAST_GENERATION = 10**12 - 1
# A claim may be gone again before it is looked for.
CLAIM_TRIES = 3


def publish(database: Path, *, generation: int, content: bytes, draft: Path) -> bool:
    """Tries to make `content` the manifest of `generation`; false when it lies there no longer or never did.

    `draft` is a folder to be made, on the same file system. Raises OSError where the file system refuses.
    """
    if generation > LAST_GENERATION:
        raise DatabaseNotWritable(
            f"Expected a generation below {LAST_GENERATION + 1} for the next commit to {database}, received "
            f"{generation}: remove the manifests of such numbers, no builder of ours made them."
        )
    name, claim = f"{uuid.uuid4().hex}.json", _claim_path(database, generation)
    durable_files.make_folder(draft)
    durable_files.write_new(draft / name, content)
    durable_files.fsync_file(draft / name)
    durable_files.fsync_folder(draft)
    _claim(draft, claim)
    _settle_one(database, generation, [name])
    settle(database)
    durable_files.fsync_folder(database)
    durable_files.remove_tree(draft)
    try:
        return manifest_path(database, generation).read_bytes() == content
    except FileNotFoundError:
        return False


def _claim(draft: Path, claim: Path) -> None:
    """Renames, unless another builder has the number. Raises OSError when it is refused for another reason."""
    for tries_left in reversed(range(CLAIM_TRIES)):
        try:
            durable_files.rename(draft, claim)
            return
        except OSError as error:
            # A network file system may report another error for a name that is taken, and one for what it did.
            taken = error.errno in (errno.ENOTEMPTY, errno.EEXIST) or claim.is_dir() or not draft.is_dir()
            if taken:
                return
            if not tries_left:
                raise


def settle(database: Path) -> None:
    """Finishes every claim: its manifest is in place afterwards, or was void and is gone."""
    for generation in sorted(_claimed(database)):
        _settle_one(database, generation, _names(_claim_path(database, generation)))


def _settle_one(database: Path, generation: int, names: list[str]) -> None:
    """`names` were read before the generations are: see above."""
    claim = _claim_path(database, generation)
    counts = generation > max(list_generations(database), default=0)
    for name in names:
        if counts:
            try:
                durable_files.rename(claim / name, manifest_path(database, generation))
            except (FileNotFoundError, FileExistsError):
                pass  # another builder was faster
        else:
            durable_files.remove(claim / name)
    durable_files.remove_empty(claim)


def _claimed(database: Path) -> list[int]:
    try:
        # A link is nobody's claim: what it leads to is neither moved nor removed.
        entries = [entry.name for entry in os.scandir(database / FOLDER) if not entry.is_symlink()]
    except FileNotFoundError:
        return []
    found = [CLAIM_NAME.fullmatch(name) for name in entries]
    return [int(match[1]) for match in found if match]


def _names(claim: Path) -> list[str]:
    """At most one: builders put one file in."""
    try:
        return [entry.name for entry in os.scandir(claim) if entry.is_file(follow_symlinks=False)][:1]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _claim_path(database: Path, generation: int) -> Path:
    return database / FOLDER / f"claim-{generation:06d}"

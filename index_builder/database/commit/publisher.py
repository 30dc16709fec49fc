"""Publishing: a builder's hand on a database. Files are made under temporary names, moved in place, then named by a
manifest that exists either whole or not at all.

The order of a commit: files written and fsynced, folder fsynced, folder renamed, its parent fsynced; manifest N+1
written under a temporary name, fsynced, the number claimed (see `claims`), the manifest moved to its final name, folder
fsynced. Stopped between any two of these steps, the database is the one before or the one after.
"""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from index_builder.database.commit import claims, durable_files
from index_builder.database.commit.presence import BuilderPresence, listed_names, sweep
from index_builder.database.commit.segment_files import RowBatch, SegmentTicket
from index_builder.database.format.manifest import (
    IndexFile,
    Manifest,
    Segment,
    StoredFile,
    list_generations,
    newest_manifest,
)
from index_builder.database.format.same_kind import check_same_kind
from index_builder.errors import (
    CommitConflict,
    DatabaseDamaged,
    DatabaseNotFound,
    DatabaseNotWritable,
)
from index_builder.plain_text import plain_logger

if TYPE_CHECKING:
    from typing_extensions import Self

logger = plain_logger(__name__)
PUBLISH_TRIES = 100
Change = Callable[[Manifest], Manifest | None]
T = TypeVar("T")


class Publisher:
    """A context manager; any number may be at work on a database at the same time."""

    def __init__(self, database: Path, *, template: Manifest) -> None:
        """`template` is the manifest of an empty database of this kind. Makes the folder where missing.

        Raises DatabaseMismatch when the database was made with other encoders.
        """
        self.database, self.template = database, template
        for folder in (self.database, self.database / "segments", self.database / "indexes"):
            if not folder.is_dir():
                durable_files.make_folder(folder)
                durable_files.fsync_folder(folder.parent)
        self.presence = BuilderPresence(database)
        try:
            sweep(database)
            self.manifest = self.current()
            check_same_kind(self.manifest, template, database)
        except BaseException:
            self.presence.release()
            raise

    @classmethod
    def open(cls, database: Path) -> Publisher:
        """A hand on a database that exists, whatever encoded it. Raises DatabaseNotFound, DatabaseDamaged."""
        return cls(database, template=emptied(newest_manifest(database)[0]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.presence.release()

    def current(self, generations: Sequence[int] | None = None) -> Manifest:
        """The newest valid manifest (of `generations`), or the template of generation 0 while there is none."""
        try:
            manifest, passed_over = newest_manifest(self.database, generations)
        except DatabaseNotFound:
            return self.template
        for problem in passed_over:
            logger.warning("going on from generation %d: %s", manifest.generation, problem)
        return manifest

    def ticket(self, *, sampling: Mapping[str, Any]) -> SegmentTicket:
        """Leave to write a segment, for this process or another one on the same storage; its name is announced."""
        name = uuid.uuid4().hex
        self.presence.announce(name)
        return SegmentTicket(
            database=self.database.absolute(),
            name=name,
            temporary=self.presence.temporary(name),
            fingerprint=self.template.tokens[0].fingerprint,
            sampling=dict(sampling),
        )

    def write_segment(self, batch: RowBatch, *, sampling: Mapping[str, Any]) -> Segment:
        """Brings the files of a segment in place; it belongs to the database once a manifest lists it."""
        return self.ticket(sampling=sampling).write(batch)

    def write_index(self, content: memoryview) -> StoredFile:
        """Brings an index file in place, as `write_segment` does a segment."""
        name = f"{uuid.uuid4().hex}.faiss"
        temporary = self.database / "indexes" / self.presence.temporary(name)
        durable_files.write_new(temporary, content)
        durable_files.fsync_file(temporary)
        self.presence.announce(name)
        durable_files.rename(temporary, self.database / "indexes" / name)
        durable_files.fsync_folder(self.database / "indexes")
        digest = hashlib.sha256(content).hexdigest()
        return StoredFile(path=f"indexes/{name}", sha256=digest, size_bytes=content.nbytes)

    def discard(self, unlisted: Sequence[Segment | IndexFile]) -> None:
        """Removes what was brought in place and will not be listed."""
        # Asked again, because an error while publishing does not say that nothing was published.
        listed = listed_names(self.database)
        for made in unlisted:
            name = made.name if isinstance(made, Segment) else Path(made.path).name
            if listed is None or name in listed:
                continue
            if isinstance(made, Segment):
                durable_files.remove_tree(self.database / "segments" / made.name)
            else:
                durable_files.remove(self.database / made.path)

    def publish(self, change: Change) -> Manifest | None:
        """Publishes `change` of the newest manifest as the next generation; None when nothing was left to change.

        `change` returns None for a manifest that holds already what it wants: that is how a publication is recognised
        that other builders' later ones were made from. Raises CommitConflict when other builders kept winning.
        """
        for _ in range(PUBLISH_TRIES):
            changed, generations = self._act(lambda newest, listed: (change(newest), listed))
            if changed is None:
                return None
            manifest = replace(changed, generation=max(generations, default=0) + 1)
            draft = self.database / self.presence.temporary(f"manifest-{uuid.uuid4().hex}")
            content = manifest.to_bytes()
            in_place = claims.publish(self.database, generation=manifest.generation, content=content, draft=draft)
            if in_place or self._was_built_on(manifest, change):
                self.manifest = manifest
                return manifest
            time.sleep(random.uniform(0, 0.05))
        raise CommitConflict(
            f"Expected to publish a manifest in {self.database}, but other builders took the next number "
            f"{PUBLISH_TRIES} times in a row: run the command again."
        )

    def on_newest(self, act: Callable[[Manifest], T]) -> T:
        """What `act` makes of the newest manifest; once more, of a newer one, when files of that were compacted away
        under its hands."""
        return self._act(lambda manifest, _: act(manifest))

    def _act(self, act: Callable[[Manifest, list[int]], T]) -> T:
        """`on_newest`, with the listing of generations that gave the manifest.

        One listing gives both the base and the next number: had another builder published between two listings, the
        next number would be free, and its rows would be missing from a manifest of that number. Numbers of damaged
        manifests stay taken.
        """
        while True:
            generations = list_generations(self.database)
            try:
                return act(self.current(generations), generations)
            except DatabaseDamaged:
                if list_generations(self.database)[:1] == generations[:1]:
                    raise

    def _was_built_on(self, mine: Manifest, change: Change) -> bool:
        """Whether `mine` was in place and is gone because later ones were made from it.

        A builder that slept through many commits finds its manifest removed as an old one, whether it was the one
        published under its number or came too late: the newest tells by what is left to change.
        """
        left_to_change, generations = self._act(lambda newest, listed: (change(newest), listed))
        gone = bool(generations) and mine.generation not in generations and generations[0] > mine.generation
        return gone and left_to_change is None


def emptied(manifest: Manifest) -> Manifest:
    """The manifest of an empty database of the same kind."""
    return replace(manifest, generation=0, segments=(), indexes=(), tombstones=(), dropped=(), index_facts={})


@contextmanager
def writing(database: Path, *, remedy: str) -> Iterator[None]:
    """Turns a file system's refusal (no space, no permission) into DatabaseNotWritable."""
    try:
        yield
    except OSError as error:
        raise DatabaseNotWritable(
            f"Expected to write the database {database}, received {error}: make room or check its permissions, then "
            f"{remedy}; what was committed stays."
        ) from error

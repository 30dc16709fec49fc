"""Writing a motion database: segments and indexes are made under temporary names, moved in place, then published by a
manifest that exists either whole or not at all.

The order of a commit: files written and fsynced, folder fsynced, folder renamed, its parent fsynced; manifest N+1
written under a temporary name, fsynced, linked to its final name (which fails when another builder took it), folder
fsynced. Stopped between any two of these steps, the database is the one before or the one after.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index_builder.database import durable_files
from index_builder.database.known_rows import KnownRows
from index_builder.database.manifest import (
    FIELDS,
    IndexFile,
    Manifest,
    Segment,
    StoredFile,
    TokensFile,
    list_generations,
    manifest_path,
    newest_manifest,
)
from index_builder.database.presence import BuilderPresence, sweep
from index_builder.database.reader import MotionDatabase
from index_builder.database.rows import ClipRow, encode_rows
from index_builder.database.search_index import FLAT_ROWS, build_index
from index_builder.database.tokens import StoredTokens, encode_tokens, tokens_file_name
from index_builder.errors import CommitConflict, DatabaseMismatch, DatabaseNotFound, InvalidSetting

logger = logging.getLogger(__name__)
PUBLISH_TRIES = 100


@dataclass(frozen=True, kw_only=True)
class RowBatch:
    """Rows to commit together: text and frame embeddings float32 [rows, E], normalised; tokens [rows, L, D]."""

    rows: Sequence[ClipRow]
    text: np.ndarray
    frame: np.ndarray
    tokens: StoredTokens

    def __post_init__(self) -> None:
        counts = {len(self.rows), len(self.text), len(self.frame), len(self.tokens.motion_tokens)}
        if len(counts) != 1 or self.text.shape != self.frame.shape or not len(self.rows):
            raise InvalidSetting(
                f"expected as many embeddings and tokens as rows (at least one), received {len(self.rows)} rows, "
                f"text {self.text.shape}, frame {self.frame.shape}, tokens {self.tokens.motion_tokens.shape}: mend the "
                "encoder"
            )

    def without(self, ids: set[str]) -> RowBatch | None:
        """The batch without the rows of `ids`; None when nothing is left."""
        keep = [place for place, row in enumerate(self.rows) if row.id not in ids]
        if len(keep) == len(self.rows):
            return self
        if not keep:
            return None
        tokens = StoredTokens(self.tokens.motion_tokens[keep], self.tokens.appearance_tokens[keep])
        return RowBatch(
            rows=[self.rows[place] for place in keep], text=self.text[keep], frame=self.frame[keep], tokens=tokens
        )


class DatabaseWriter:
    """One builder's hand on a database, a context manager. Any number of builders may write at the same time."""

    def __init__(self, database: Path, *, template: Manifest, sampling: Mapping[str, Any]) -> None:
        """`template` is the manifest of an empty database of this kind; `sampling` is recorded with each segment.

        Makes the folder where missing. Raises DatabaseMismatch when the database was made with other encoders.
        """
        self.database, self.template, self.sampling = database, template, dict(sampling)
        self._make_folders()
        self.presence = BuilderPresence(database)
        try:
            sweep(database)
            self.manifest = self._current()
            check_same_kind(self.manifest, template, database)
            self.known = KnownRows(database, sampling=self.sampling)
            self.known.absorb(self.manifest)
        except BaseException:
            self.presence.release()
            raise

    def __enter__(self) -> DatabaseWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.presence.release()

    def commit_rows(self, batch: RowBatch) -> set[str]:
        """Adds a segment of the rows that nobody committed yet; returns the ids of those that another builder had.

        Raises CommitConflict when other builders kept winning.
        """
        left_out: set[str] = set()
        while True:
            present = self.known.present({row.id for row in batch.rows})
            left_out |= present
            remaining = batch.without(present)
            if remaining is None:
                return left_out
            batch = remaining
            segment = self._write_segment(batch)
            ids = {row.id for row in batch.rows}

            def add(base: Manifest, segment: Segment = segment, ids: set[str] = ids) -> Manifest | None:
                self.known.absorb(base)
                return None if self.known.present(ids) else replace(base, segments=(*base.segments, segment))

            if self._publish(add) is not None:
                self.known.absorb(self.manifest)
                return left_out
            durable_files.remove_tree(self.database / "segments" / segment.name)

    def commit_indexes(self) -> None:
        """Builds the FAISS indexes over all segments, unless those that are stored will do."""
        base = self._current()
        if not base.segments or self._indexes_will_do(base):
            return
        names = tuple(segment.name for segment in base.segments)
        reader = MotionDatabase(self.database, base)
        indexes = tuple(self._write_index(reader, field, names) for field in FIELDS)

        def swap(newest: Manifest) -> Manifest | None:
            return replace(newest, indexes=indexes)

        self._publish(swap)

    def _indexes_will_do(self, base: Manifest) -> bool:
        """Whether each field has an index of all rows, or a graph of nearly all: a graph takes minutes to build anew,
        and exact search of the few rows it lacks costs next to nothing."""
        lacking = {field: base.row_count for field in FIELDS}
        for index in base.indexes:
            if (self.database / index.path).is_file():
                lacking[index.field] = min(lacking[index.field], base.row_count - index.row_count)
        return max(lacking.values()) <= (FLAT_ROWS // 4 if base.row_count > FLAT_ROWS else 0)

    def _make_folders(self) -> None:
        for folder in (self.database, self.database / "segments", self.database / "indexes"):
            if not folder.is_dir():
                durable_files.make_folder(folder)
                durable_files.fsync_folder(folder.parent)

    def _current(self, generations: Sequence[int] | None = None) -> Manifest:
        """The newest valid manifest (of `generations`), or the template of generation 0 while there is none."""
        try:
            manifest, passed_over = newest_manifest(self.database, generations)
        except DatabaseNotFound:
            return self.template
        for problem in passed_over:
            logger.warning("going on from generation %d: %s", manifest.generation, problem)
        return manifest

    def _write_segment(self, batch: RowBatch) -> Segment:
        name = uuid.uuid4().hex
        temporary = self.database / "segments" / self.presence.temporary(name)
        durable_files.make_folder(temporary)
        fingerprint = self.template.tokens[0].fingerprint
        contents = {
            "rows.arrow": memoryview(encode_rows(batch.rows, text=batch.text, frame=batch.frame)),
            tokens_file_name(fingerprint): memoryview(encode_tokens(batch.tokens, fingerprint=fingerprint)),
        }
        files = []
        for file_name, content in contents.items():
            durable_files.write_new(temporary / file_name, content)
            durable_files.fsync_file(temporary / file_name)
            path = f"segments/{name}/{file_name}"
            digest = hashlib.sha256(content).hexdigest()
            files.append(StoredFile(path=path, sha256=digest, size_bytes=content.nbytes))
        durable_files.fsync_folder(temporary)
        self.presence.announce(name)
        durable_files.rename(temporary, self.database / "segments" / name)
        durable_files.fsync_folder(self.database / "segments")
        tokens = TokensFile(**vars(files[1]), fingerprint=fingerprint)
        return Segment(name=name, row_count=len(batch.rows), rows=files[0], tokens=(tokens,), sampling=self.sampling)

    def _write_index(self, reader: MotionDatabase, field: str, segments: tuple[str, ...]) -> IndexFile:
        embeddings = reader.all_embeddings(field)
        content, kind = build_index(embeddings)
        name = f"{uuid.uuid4().hex}.faiss"
        temporary = self.database / "indexes" / self.presence.temporary(name)
        durable_files.write_new(temporary, content)
        durable_files.fsync_file(temporary)
        self.presence.announce(name)
        durable_files.rename(temporary, self.database / "indexes" / name)
        durable_files.fsync_folder(self.database / "indexes")
        return IndexFile(
            path=f"indexes/{name}",
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            field=field,
            kind=kind,
            row_count=len(embeddings),
            segments=segments,
        )

    def _publish(self, change: Callable[[Manifest], Manifest | None]) -> Manifest | None:
        """Publishes `change` of the newest manifest as the next generation; None when `change` itself declines."""
        temporary = self.database / self.presence.temporary("manifest")
        for _ in range(PUBLISH_TRIES):
            # One listing gives both the base and the number: had another builder published between two listings, the
            # next number would be free, and its rows would be missing from a manifest of that number. Numbers of
            # damaged manifests stay taken.
            generations = list_generations(self.database)
            changed = change(self._current(generations))
            if changed is None:
                return None
            manifest = replace(changed, generation=max(generations, default=0) + 1)
            durable_files.remove(temporary)
            durable_files.write_new(temporary, manifest.to_bytes())
            durable_files.fsync_file(temporary)
            try:
                durable_files.link(temporary, manifest_path(self.database, manifest.generation))
            except FileExistsError:
                time.sleep(random.uniform(0, 0.05))
                continue
            durable_files.fsync_folder(self.database)
            durable_files.remove(temporary)
            if self._is_included(manifest):
                self.manifest = manifest
                return manifest
        raise CommitConflict(
            f"expected to publish a manifest in {self.database}, other builders took the next number {PUBLISH_TRIES} "
            "times in a row: run the build again"
        )

    def _is_included(self, mine: Manifest) -> bool:
        """Whether the newest generation is `mine` or was made from it.

        A builder that slept through many commits may find its number free again, because old manifests are removed;
        what it published then lies behind the newest and counts for nothing.
        """
        newest = self._current()
        return newest.generation == mine.generation or (
            newest.generation > mine.generation
            and {segment.name for segment in mine.segments} <= {segment.name for segment in newest.segments}
        )


def check_same_kind(manifest: Manifest, template: Manifest, database: Path) -> None:
    """Raises DatabaseMismatch unless what `template` would add can stand beside what `manifest` holds."""
    remedy = f"build into another folder, or remove {database} to build it anew"
    if manifest.retrieval_fingerprint != template.retrieval_fingerprint:
        raise DatabaseMismatch(
            f"Database {database.name} was encoded by {manifest.retrieval_description} "
            f"({manifest.retrieval_fingerprint}); this pack encodes by {template.retrieval_description} "
            f"({template.retrieval_fingerprint}): {remedy}"
        )
    if [vars(space) | {"encoder_name": ""} for space in manifest.tokens] != [
        vars(space) | {"encoder_name": ""} for space in template.tokens
    ]:
        stored = ", ".join(f"{space.encoder_name} ({space.fingerprint})" for space in manifest.tokens)
        mine = ", ".join(f"{space.encoder_name} ({space.fingerprint})" for space in template.tokens)
        raise DatabaseMismatch(
            f"Database {database.name} stores motion tokens of {stored}; this pack makes those of {mine}: {remedy}"
        )
    if dict(manifest.clips) != dict(template.clips):
        raise DatabaseMismatch(
            f"Database {database.name} holds clips decoded as {dict(manifest.clips)}; this pack wants "
            f"{dict(template.clips)}: {remedy}"
        )

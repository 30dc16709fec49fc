"""Verifying a database: every file of every kept manifest is hashed again and read in full; all problems are listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from index_builder.database.commit.presence import TEMPORARY
from index_builder.database.format.id_hashes import ID_HASHES_FILE, IdHashes
from index_builder.database.format.manifest import (
    FIELDS,
    Manifest,
    Segment,
    list_generations,
    locate,
    read_manifest,
)
from index_builder.database.format.rows import RowsFile
from index_builder.database.format.stored_hash import require_hash
from index_builder.database.format.tokens import TokensFile
from index_builder.database.search.search_index import load_index
from index_builder.errors import DatabaseDamaged, DatabaseNotFound

# float16 keeps eleven bits; embeddings are float32 and normalised by their encoder.
NORM_TOLERANCE = 1e-2
# A database that is compacted while it is verified is looked at again, but not for ever.
TRIES = 5


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """problems: damage, each naming its file; notes: what is unusual but harmless, as files no manifest lists."""

    database: str
    generation: int | None
    rows: int
    files_checked: int
    bytes_checked: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.problems

    def as_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return {**asdict(self), "sound": self.sound}


def verify_database(database: Path, *, on_file: Callable[[str], None] | None = None) -> VerifyReport:
    """Checks all there is to check. `on_file` hears each file's path before it is read. Raises DatabaseNotFound.

    What vanished because old generations were removed meanwhile is no damage: then all is looked at once more.
    """
    for _ in range(TRIES):
        before = list_generations(database)
        report = _verify(database, before, on_file)
        if report.sound or list_generations(database) == before:
            break
    return report


def _verify(database: Path, generations: list[int], on_file: Callable[[str], None] | None) -> VerifyReport:
    if not generations:
        raise DatabaseNotFound(
            f"Expected a motion database in {database}, found no manifest: name the folder that "
            "motionrag index build --output wrote."
        )
    problems: list[str] = []
    manifests: list[Manifest] = []
    for generation in generations:
        try:
            manifests.append(read_manifest(database, generation))
        except DatabaseDamaged as error:
            problems.append(str(error))
    files = {file.path: file for manifest in manifests for file in manifest.files}
    checked_bytes, damaged = 0, set()
    for file in files.values():
        if on_file:
            on_file(file.path)
        try:
            require_hash(database, file)
            checked_bytes += file.size_bytes
        except DatabaseDamaged as error:
            problems.append(str(error))
            damaged.add(file.path)
    caches = _id_hashes(database, manifests)
    for segment, path in caches:
        if IdHashes.read(path, rows_sha256=segment.rows.sha256, row_count=segment.row_count) is None:
            problems.append(f"Expected hashes of the ids of {path.parent}'s rows in {path}, found others: remove it.")
    if manifests:
        problems += _check_contents(database, manifests[0], damaged)
    return VerifyReport(
        database=str(database),
        generation=manifests[0].generation if manifests else None,
        rows=manifests[0].row_count if manifests else 0,
        files_checked=len(files) + len(caches) + len(generations),
        bytes_checked=checked_bytes,
        problems=tuple(dict.fromkeys(problems)),
        notes=tuple(_notes(database, {*files, *(path.relative_to(database).as_posix() for _, path in caches)})),
    )


def _check_contents(database: Path, manifest: Manifest, damaged: set[str]) -> Iterator[str]:
    """What the hashes cannot tell: that the contents mean what the manifest says. Damaged files are not read again."""
    seen: Counter[str] = Counter()
    for segment in manifest.segments:
        if damaged & {segment.rows.path, *(file.path for file in segment.tokens)}:
            continue
        try:
            yield from _check_segment(database, manifest, segment, seen)
        except (DatabaseDamaged, OSError) as error:
            yield str(error)
    twice = [row_id for row_id, count in seen.items() if count > 1]
    if twice:
        yield (
            f"Expected each clip once, but {len(twice)} ids are stored twice (first: {twice[0]}): rebuild the database."
        )
    for index in manifest.indexes:
        if index.path in damaged:
            continue
        try:
            load_index(database, index, dim=manifest.space_of(index.field).dim)
        except (DatabaseDamaged, OSError) as error:
            yield str(error)


def _check_segment(database: Path, manifest: Manifest, segment: Segment, seen: Counter[str]) -> Iterator[str]:
    path = locate(database, segment.rows)
    rows = RowsFile.of(path, manifest, segment)
    seen.update(rows.column("id"))
    for field in FIELDS:
        vectors = rows.embeddings(field)
        if field == "text" and not rows.one_space:
            vectors = vectors[rows.has_caption()]
        lengths = np.linalg.norm(vectors, axis=1)
        if not np.all(np.abs(lengths - 1) < NORM_TOLERANCE):
            yield (
                f"Expected {field} embeddings of length 1 in {path}, found {lengths.min():.3g} to "
                f"{lengths.max():.3g}: rebuild the database."
            )
    spaces = {space.fingerprint: space for space in manifest.tokens}
    for file in segment.tokens:
        space = spaces[file.fingerprint]
        shape = (segment.row_count, space.tokens_per_clip, space.token_dim)
        tokens = TokensFile(locate(database, file), shape=shape, fingerprint=file.fingerprint)
        for start in range(0, segment.row_count, 256):
            part = tokens.rows(range(start, min(start + 256, segment.row_count)))
            if not (np.isfinite(part.motion_tokens).all() and np.isfinite(part.appearance_tokens).all()):
                yield f"Expected finite tokens in {file.path}, found inf or nan: rebuild the database."
                break


def _id_hashes(database: Path, manifests: list[Manifest]) -> list[tuple[Segment, Path]]:
    """The hashes of ids that are there, once for each segment of any manifest."""
    segments = {segment.name: segment for manifest in manifests for segment in manifest.segments}
    places = [(each, database / "segments" / each.name / ID_HASHES_FILE) for each in segments.values()]
    return [(segment, path) for segment, path in places if path.is_file()]


def _notes(database: Path, known: set[str]) -> Iterator[str]:
    """Files that belong to no kept manifest: of a build that goes on or was stopped, or a user's own."""
    present = [path for folder in ("segments", "indexes") for path in (database / folder).rglob("*") if path.is_file()]
    for path in sorted(present):
        name = path.relative_to(database).as_posix()
        if name not in known:
            kind = "unfinished" if TEMPORARY in name else "listed by no manifest"
            yield f"{name} is {kind}; the next build cleans up after builders that ended early"

"""Manifests: what a database consists of at one moment, as a JSON file that carries its own hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from index_builder.border import read_regular
from index_builder.database.format.manifest_check import FIELDS as FIELDS  # what an index may be over
from index_builder.database.format.manifest_check import FORMAT, problems_of
from index_builder.database.format.manifest_check import Field as Field
from index_builder.errors import DatabaseDamaged, DatabaseNotFound, DatabaseTooNew
from index_builder.features.embedding_space import EmbeddingSpace
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)
# Version 2: captions may have a space of their own. A database that uses nothing of version 2 is written as version 1.
FORMAT_VERSION, FIRST_VERSION = 2, 1
# A million removed rows take 50 MB. What a file unfolds to in memory is bounded by its tables, lists and members.
MAX_MANIFEST_BYTES = 256 << 20
MAX_MANIFEST_PARTS = 1 << 20
MAX_MANIFEST_MEMBERS = 1 << 24
MANIFEST_NAME = re.compile(r"manifest-(\d{6,12})\.json")


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file of the database: path relative to its folder, sha256 of the content, size."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class TokensFile(StoredFile):
    """Motion and appearance tokens of a segment's rows, by the encoders and resamplers of `fingerprint`."""

    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Rows that were committed together and never change. `sampling` says how the clips were cut, in seconds."""

    name: str
    row_count: int
    rows: StoredFile
    tokens: tuple[TokensFile, ...]
    sampling: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class IndexFile(StoredFile):
    """A FAISS index over one field ("text" or "frame") of whole segments, in their order: a cache, never the truth."""

    field: Field
    kind: str
    row_count: int
    segments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TokensSpace:
    """Which tokens the database stores: [tokens_per_clip, token_dim] float16 per row and kind."""

    fingerprint: str
    encoder_name: str
    tokens_per_clip: int
    token_dim: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The whole database at one generation. `clips` records how clips are decoded, `decoders` the libraries used.

    `retrieval_*` and `embedding_dim` are the space of first frames, and of captions too unless these have `text_space`.
    `tombstones` are the ids of removed rows that segments still hold; `dropped` those that compaction left out, which
    a build does not bring back. `roots` are the folders that relative sources of rows begin at, absolute or seen from
    the database's own folder; databases made here have absolute sources, and none. `index_facts` says of each index
    file, by path, what `search_index` wants to know.
    """

    generation: int
    retrieval_fingerprint: str
    retrieval_description: str
    embedding_dim: int
    tokens: tuple[TokensSpace, ...]
    clips: Mapping[str, Any]
    decoders: Mapping[str, str]
    segments: tuple[Segment, ...] = ()
    indexes: tuple[IndexFile, ...] = ()
    tombstones: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    index_facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    format: str = field(default=FORMAT)
    format_version: int = field(default=FIRST_VERSION)
    text_space: EmbeddingSpace | None = None
    roots: tuple[str, ...] = ()

    @property
    def row_count(self) -> int:
        """Rows in all segments, removed ones included."""
        return sum(segment.row_count for segment in self.segments)

    def space_of(self, field: str) -> EmbeddingSpace:
        """The space of captions ("text") or of first frames ("frame")."""
        if field == "text" and self.text_space is not None:
            return self.text_space
        return EmbeddingSpace(
            fingerprint=self.retrieval_fingerprint, description=self.retrieval_description, dim=self.embedding_dim
        )

    @property
    def files(self) -> list[StoredFile]:
        """Every file the manifest names."""
        segment_files = [file for segment in self.segments for file in (segment.rows, *segment.tokens)]
        return [*segment_files, *self.indexes]

    def to_bytes(self) -> bytes:
        """The file's exact content: sorted JSON whose last member is the sha256 of all before it."""
        values = asdict(self)
        if not self.roots:  # as it was before there were any
            del values["roots"]
        return _sealed(values)


def _sealed(values: Mapping[str, Any]) -> bytes:
    body = json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f'{body[:-2]},\n "~sha256": "{digest}"\n}}\n'.encode()


def manifest_path(database: Path, generation: int) -> Path:
    """Where the manifest of a generation lies."""
    return database / f"manifest-{generation:06d}.json"


def list_generations(database: Path) -> list[int]:
    """The generations that have a manifest file, valid or not, newest first; none where there is no such folder.

    Raises DatabaseDamaged for a folder that cannot be listed: it must not pass for an empty one.
    """
    try:
        names = os.listdir(database)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DatabaseDamaged(
            f"Expected to list the folder {database}, received {error}: check its permissions and its disk."
        ) from error
    return sorted((int(match[1]) for name in names if (match := MANIFEST_NAME.fullmatch(name))), reverse=True)


def newest_generations(databases: Mapping[str, Path]) -> dict[str, int | None]:
    """The newest generation of each database by name, as its files are called: none of them is opened. None for a
    folder that cannot be listed; folders without a manifest's name are left out."""
    found: dict[str, int | None] = {}
    for name, folder in databases.items():
        try:
            generations = list_generations(folder)
        except DatabaseDamaged as error:
            logger.warning("the database %s: %s", name, error)
            found[name] = None
            continue
        if generations:
            found[name] = generations[0]
    return found


def read_manifest(database: Path, generation: int) -> Manifest:
    """Reads and checks one manifest. Raises DatabaseDamaged, or DatabaseTooNew for a later format version."""
    path = manifest_path(database, generation)
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_MANIFEST_BYTES:
            raise DatabaseDamaged(
                f"Expected a file of up to {MAX_MANIFEST_BYTES >> 20} MiB at {path}, found a larger one, a symlink or "
                "no file: restore it from a backup."
            )
        content = read_regular(path, most_bytes=MAX_MANIFEST_BYTES)
    except OSError as error:
        raise DatabaseDamaged(f"Expected to read {path}, received {error}: restore it from a backup.") from error
    return parse_manifest(content, generation=generation, name=str(path))


def parse_manifest(content: bytes, *, generation: int, name: str) -> Manifest:
    """The manifest in `content`. Raises as `read_manifest`."""
    remedy = "restore it from a backup, or remove it to use the generation before"
    parts, members = content.count(b"{") + content.count(b"["), content.count(b",")
    if parts > MAX_MANIFEST_PARTS or members > MAX_MANIFEST_MEMBERS:
        raise DatabaseDamaged(f"Expected a manifest in {name}, received {parts} tables and lists: {remedy}.")
    try:
        values = json.loads(content)
        if not isinstance(values, dict):
            raise DatabaseDamaged(f"Expected a JSON object in {name}, received another value: {remedy}.")
        version = values.get("format_version")
        if values.get("format") == FORMAT and isinstance(version, int) and version > FORMAT_VERSION:
            raise DatabaseTooNew(
                f"Expected a database of format version {FORMAT_VERSION} or older, found version {version} in {name}: "
                "upgrade motionrag (pip install -U motionrag)."
            )
        values.pop("~sha256", None)
        if _sealed(values) != content:
            raise DatabaseDamaged(
                f"Expected {name} to match its own sha256, but it does not (changed or cut short): {remedy}."
            )
        manifest = _build(values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DatabaseDamaged(f"Expected a manifest in {name}, received something else ({error}): {remedy}.") from error
    problems = problems_of(manifest, generation)
    if problems:
        raise DatabaseDamaged(f"Expected a sound manifest in {name}, received {'; '.join(problems)}: {remedy}.")
    return manifest


def _build(values: dict[str, Any]) -> Manifest:
    def segment(entry: dict[str, Any]) -> Segment:
        rows, tokens = StoredFile(**entry["rows"]), tuple(TokensFile(**file) for file in entry["tokens"])
        return Segment(**{**entry, "rows": rows, "tokens": tokens})

    def index(entry: dict[str, Any]) -> IndexFile:
        return IndexFile(**{**entry, "segments": tuple(entry["segments"])})

    known = {entry.name for entry in fields(Manifest)}
    built = Manifest(**{key: value for key, value in values.items() if key in known})
    return replace(
        built,
        tokens=tuple(TokensSpace(**entry) for entry in values["tokens"]),
        segments=tuple(segment(entry) for entry in values["segments"]),
        indexes=tuple(index(entry) for entry in values["indexes"]),
        tombstones=tuple(values["tombstones"]),
        dropped=tuple(values.get("dropped", ())),
        roots=tuple(values.get("roots", ())),
        text_space=EmbeddingSpace(**values["text_space"]) if values.get("text_space") else None,
    )


def locate(database: Path, file: StoredFile) -> Path:
    """The path of a stored file, after checking that no symlink lies on the way. Raises DatabaseDamaged."""
    path = database
    for part in file.path.split("/"):
        path = path / part
        if path.is_symlink():
            raise DatabaseDamaged(
                f"Expected a file of the database at {path}, found a symlink: replace it by the file."
            )
    return path


def check_size(database: Path, file: StoredFile) -> Path:
    """The path of a stored file that exists with its recorded size. Raises DatabaseDamaged."""
    path = locate(database, file)
    try:
        status = path.stat()
    except OSError:
        raise DatabaseDamaged(f"Expected the file {path}, found none: restore it from a backup or rebuild.") from None
    size = status.st_size
    if not stat.S_ISREG(status.st_mode):  # to open a FIFO is to wait for ever
        raise DatabaseDamaged(f"Expected a regular file at {path}, found another kind: restore it from a backup.")
    if size != file.size_bytes:
        raise DatabaseDamaged(
            f"Expected {file.size_bytes} bytes in {path}, found {size}: restore it from a backup or rebuild."
        )
    return path


def newest_manifest(database: Path, generations: Sequence[int] | None = None) -> tuple[Manifest, list[str]]:
    """The newest valid manifest (of `generations`, newest first, where given), and what was wrong with newer ones that
    were passed over.

    Raises DatabaseNotFound when there is none at all, DatabaseTooNew rather than fall back behind a newer format,
    DatabaseDamaged when none is valid.
    """
    if generations is None:
        while True:
            generations = list_generations(database)
            try:
                return newest_manifest(database, generations)
            except DatabaseDamaged:
                if list_generations(database) == generations:
                    raise
                # Compacted between listing and reading.
    if not generations:
        raise DatabaseNotFound(
            f"Expected a motion database in {database}, found no manifest: build one with "
            f"motionrag index build FOLDER --output {database}"
        )
    passed_over: list[str] = []
    for generation in generations:
        try:
            return read_manifest(database, generation), passed_over
        except DatabaseTooNew:
            raise
        except DatabaseDamaged as error:
            passed_over.append(str(error))
    raise DatabaseDamaged(f"Expected a valid manifest in {database}, found none: {' | '.join(passed_over)}.")

"""Checks on a manifest whose hash is right: whoever wrote it can have sealed anything, so nothing in it is trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, get_args

if TYPE_CHECKING:
    from index_builder.database.format.manifest import IndexFile, Manifest, Segment, StoredFile
    from index_builder.features.embedding_space import EmbeddingSpace

FORMAT = "motionrag-database"
Field = Literal["text", "frame"]
FIELDS: tuple[Field, ...] = get_args(Field)
SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,120}")
HEX_SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_ROWS = 1 << 40
MAX_TEXT = 4096
MAX_DEPTH = 8
MAX_ROOTS = 64
BYTES_PER_NUMBER = 4


def problems_of(manifest: Manifest, generation: int) -> list[str]:
    """What is wrong with `manifest`, read from the file of `generation`; each type and range is checked before use."""
    problems = list(_head_problems(manifest, generation))
    if not problems:
        problems += _list_problems(manifest)
    return problems


def _head_problems(manifest: Manifest, generation: int) -> Iterator[str]:
    if manifest.format != FORMAT:
        yield f"format {manifest.format!r}"
    if not is_count(manifest.format_version, 1, 1 << 16):
        yield f"format version {manifest.format_version!r}"
    if manifest.generation != generation:
        yield f"generation {manifest.generation} in the file of generation {generation}"
    if not is_count(manifest.embedding_dim, 1, 1 << 16):
        yield f"embedding_dim {manifest.embedding_dim!r}"
    for name in ("retrieval_fingerprint", "retrieval_description"):
        if not is_short_text(getattr(manifest, name)):
            yield f"{name} of another type than text, or of more than {MAX_TEXT} characters"
    if manifest.text_space is not None:
        yield from _text_space_problems(manifest.format_version, manifest.text_space)
    for name in ("clips", "decoders", "index_facts"):
        value = getattr(manifest, name)
        if not isinstance(value, Mapping) or is_deep(value):
            yield f"{name} of another type than a table, or one with many tables inside each other"
    for space in manifest.tokens:
        if not (is_count(space.tokens_per_clip, 1, 1 << 16) and is_count(space.token_dim, 1, 1 << 20)):
            yield f"tokens of {space.tokens_per_clip!r} x {space.token_dim!r}"
        if not (is_short_text(space.fingerprint) and is_short_text(space.encoder_name)):
            yield "a tokens fingerprint or encoder name of another type than text, or a long one"
    if len(manifest.roots) > MAX_ROOTS:
        yield f"{len(manifest.roots)} roots where at most {MAX_ROOTS} are due"
    for name in ("tombstones", "dropped", "roots"):
        if not all(is_short_text(row_id) for row_id in getattr(manifest, name)):
            yield f"{name} of another type than short texts"


def _text_space_problems(format_version: int, space: EmbeddingSpace) -> Iterator[str]:
    if format_version < 2:
        yield "a space for captions alone, which format version 1 does not know"
    if not is_count(space.dim, 1, 1 << 16):
        yield f"captions of {space.dim!r} numbers"
    if not (is_short_text(space.fingerprint) and is_short_text(space.description)):
        yield "a space for captions that is named by another type than text"


def _list_problems(manifest: Manifest) -> Iterator[str]:
    spaces = {space.fingerprint for space in manifest.tokens}
    for segment in manifest.segments:
        yield from _segment_problems(segment, spaces, manifest.embedding_dim)
    if len({str(segment.name) for segment in manifest.segments}) != len(manifest.segments):
        yield "a segment listed twice"
    for index in manifest.indexes:
        yield from _index_problems(index)
    for file in manifest.files:
        yield from _file_problems(file)


def _segment_problems(segment: Segment, spaces: set[str], embedding_dim: int) -> Iterator[str]:
    if not isinstance(segment.name, str) or not SAFE_PART.fullmatch(segment.name):
        yield f"the unsafe segment name {segment.name!r}"
    if not is_count(segment.row_count, 1, MAX_ROWS):
        yield f"a segment of {segment.row_count!r} rows"
    elif is_count(segment.rows.size_bytes, 0, 1 << 60):
        # Memory is asked for by the number of rows: each one's first frame alone takes so many bytes of the file.
        if segment.row_count * embedding_dim * BYTES_PER_NUMBER > segment.rows.size_bytes:
            yield f"{segment.row_count} rows in a file of {segment.rows.size_bytes} bytes"
    if not isinstance(segment.sampling, Mapping) or is_deep(segment.sampling):
        yield "sampling of another type than a table, or one with many tables inside each other"
    if any(not isinstance(file.fingerprint, str) or file.fingerprint not in spaces for file in segment.tokens):
        yield "tokens of a fingerprint that is not described"


def _index_problems(index: IndexFile) -> Iterator[str]:
    if index.field not in FIELDS:
        yield f"an index of the unknown field {index.field!r}"
    if not is_count(index.row_count, 1, MAX_ROWS) or not isinstance(index.kind, str):
        yield f"an index of {index.row_count!r} rows and kind {index.kind!r}"
    if not all(isinstance(name, str) for name in index.segments) or len(set(index.segments)) != len(index.segments):
        yield "an index over segments without proper names, or over one twice"


def _file_problems(file: StoredFile) -> Iterator[str]:
    if not is_safe_path(file.path):
        yield f"the unsafe path {file.path!r}"
    hashed = isinstance(file.sha256, str) and HEX_SHA256.fullmatch(file.sha256)
    if not (hashed and is_count(file.size_bytes, 0, 1 << 60)):
        yield f"an impossible hash or size of {file.path!r}"


def is_count(value: object, low: int, high: int) -> TypeGuard[int]:
    """Whether `value` is a whole number (a truth value is not one) from `low` to `high`."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_short_text(value: object) -> bool:
    """Whether `value` is text of at most 4096 characters."""
    return isinstance(value, str) and len(value) <= MAX_TEXT


def is_deep(value: object) -> bool:
    """Whether tables and lists stand inside each other more than eight times; asked without recursion."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inside = [entry.values() if isinstance(entry, Mapping) else entry for entry in level]
        level = [item for entry in inside for item in entry if isinstance(item, Mapping | list)]
        if not level:
            return False
    return True


def is_safe_path(path: object) -> bool:
    """Whether `path` is relative, plain, and cannot leave the database's folder."""
    if not isinstance(path, str) or not path or path != PurePosixPath(path).as_posix():
        return False
    return all(SAFE_PART.fullmatch(part) and part != ".." for part in path.split("/"))

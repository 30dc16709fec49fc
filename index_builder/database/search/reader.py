"""Reading a motion database: rows, similarity search, embeddings and stored tokens, all from memory-mapped files."""

from __future__ import annotations

import copy
import os
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from index_builder.database.format.field_vectors import StoredVectors
from index_builder.database.format.manifest import (
    FIELDS,
    Field,
    Manifest,
    check_size,
    list_generations,
    newest_manifest,
)
from index_builder.database.format.rows import ClipRow, RowsFile
from index_builder.database.format.tokens import StoredTokens, TokensFile
from index_builder.database.search.certified_index import Vectors, measured_facts
from index_builder.database.search.motion_search import motion_scores
from index_builder.database.search.row_filter import RowFilter
from index_builder.database.search.row_numbers import RowNumbers
from index_builder.database.search.search_index import FieldSearch
from index_builder.errors import DatabaseDamaged, DatabaseNotFound, InvalidSetting, RowNotFound, TokensNotStored
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)


@dataclass(frozen=True)
class Hit:
    """A row and its cosine similarity to the query, in [-1, 1]."""

    row_id: str
    score: float


class MotionDatabase:
    """One generation of a database, opened for reading. It does not change while builders go on; open it again to see
    what they added. Opening checks every file's size and structure; contents are checked as they are used, all of
    them by `verify`."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        """Use `open`."""
        self.path, self.manifest = path, manifest
        self._rows: list[RowsFile] = []
        self._tokens: list[dict[str, TokensFile]] = []
        spaces = {space.fingerprint: space for space in manifest.tokens}
        for segment in manifest.segments:
            rows_path = check_size(path, segment.rows)
            self._rows.append(RowsFile.of(rows_path, manifest, segment))
            files = {}
            for file in segment.tokens:
                space = spaces[file.fingerprint]
                shape = (segment.row_count, space.tokens_per_clip, space.token_dim)
                files[file.fingerprint] = TokensFile(check_size(path, file), shape=shape, fingerprint=file.fingerprint)
            self._tokens.append(files)
        self._starts = [0, *accumulate(segment.row_count for segment in manifest.segments)]
        self._numbers = RowNumbers(self._rows)
        self._removed_mask: np.ndarray | None = None
        self._hidden: np.ndarray | None = None
        self._uncaptioned: np.ndarray | None = None
        self._searches: dict[str, FieldSearch] = {}

    @classmethod
    def open(cls, path: Path | str) -> MotionDatabase:
        """Opens the newest valid generation; a manifest that is damaged is passed over with a warning.

        Raises DatabaseNotFound, DatabaseTooNew, or DatabaseDamaged when a file of that generation is missing or wrong.
        """
        path = Path(path)
        if not path.is_dir():
            raise DatabaseNotFound(
                f"Expected a database folder at {path}, found none: build it with "
                f"motionrag index build FOLDER --output {path}"
            )
        while True:
            newest = list_generations(path)[:1]
            manifest, passed_over = newest_manifest(path)
            try:
                opened = cls(path, manifest)
            except DatabaseDamaged:
                if list_generations(path)[:1] == newest:
                    raise
                continue  # compacted between reading its manifest and opening its files
            for problem in passed_over:
                logger.warning("reading generation %d instead: %s", manifest.generation, problem)
            return opened

    def narrowed(self, where: RowFilter) -> MotionDatabase:
        """The same generation, with searches that find only rows that match `where`; what is open is shared."""
        narrowed = copy.copy(self)
        narrowed._hidden = _either(self._hidden, None if where.is_empty else ~where.matches(self._rows))
        return narrowed

    def with_removed(self) -> MotionDatabase:
        """The same generation as if no row had been removed; what is open is shared."""
        whole = copy.copy(self)
        whole.manifest = replace(self.manifest, tombstones=())
        whole._removed_mask, whole._searches = None, {}
        return whole

    def matching(self, where: RowFilter, *, removed: bool = False) -> list[str]:
        """Ids of the rows that match `where`, in the order of their commits: of those that were not removed, or of
        those that were."""
        mask = where.matches(self._rows) & (self.removed_rows() == removed)
        return [self._id_at(int(number)) for number in np.flatnonzero(mask)]

    @property
    def generation(self) -> int:
        """Counts the commits."""
        return self.manifest.generation

    @property
    def retrieval_fingerprint(self) -> str:
        """The space of first frames, and of captions where these have none of their own (see Manifest.space_of); only
        queries of the same space can be compared."""
        return self.manifest.retrieval_fingerprint

    @property
    def tokens_fingerprints(self) -> tuple[str, ...]:
        """Of the encoders and resamplers whose tokens are stored."""
        return tuple(space.fingerprint for space in self.manifest.tokens)

    def __len__(self) -> int:
        """Rows that were not removed."""
        return self.manifest.row_count - int(self.removed_rows().sum())

    def ids(self) -> list[str]:
        """Ids of the rows that were not removed, in the order of their commits."""
        return [row_id for row_id, *_ in self.each_row("id")]

    def rows(self, ids: Sequence[str]) -> list[ClipRow]:
        """The rows of `ids`, in that order. Raises RowNotFound."""
        return [self._rows[segment].row(index) for segment, index in self._places(ids)]

    def each_row(self, *columns: str) -> Iterator[tuple[Any, ...]]:
        """The values of `columns` (names of ClipRow's fields) of each row that was not removed, in order."""
        removed = self.removed_rows()
        for start, rows in zip(self._starts, self._rows, strict=False):
            values = zip(*(rows.column(name) for name in columns), strict=True)
            yield from (row for gone, row in zip(removed[start:], values, strict=False) if not gone)

    def row_batches(self) -> Iterator[pa.RecordBatch]:
        """All columns of every row in the order of the segments, removed rows included, as Arrow batches."""
        for rows in self._rows:
            yield from map(rows.batch, rows.batch_numbers)

    def search(
        self,
        query: np.ndarray,
        *,
        field: Field,
        k: int,
        exclude_ids: Collection[str] = (),
        exclude_sources: Collection[str] = (),
        where: RowFilter | None = None,
    ) -> list[Hit]:
        """The k rows most similar to `query` (float32 [E], normalised), best first; fewer only where fewer are left.

        field "text" compares with caption embeddings (of clips without caption: with the frame's; where captions have a
        space of their own, such clips are not found), "frame" with those of first frames. `exclude_sources` takes full
        paths, file names or stems; `where` leaves only rows that match it (see `narrowed` for many searches). Raises
        InvalidSetting.
        """
        if where is not None:
            narrowed = self.narrowed(where)
            return narrowed.search(query, field=field, k=k, exclude_ids=exclude_ids, exclude_sources=exclude_sources)
        if field not in FIELDS:
            raise InvalidSetting(f"Expected a field of {', '.join(FIELDS)}, received {field!r}: choose one of them.")
        query = np.asarray(query, dtype=np.float32)
        space = self.manifest.space_of(field)
        if query.shape != (space.dim,) or not np.isfinite(query).all():
            raise InvalidSetting(
                f"Expected a finite query of shape ({space.dim},), received {query.shape}: encode it with "
                f"{space.description}"
            )
        excluded = _either(self._excluded(exclude_ids, exclude_sources), self._out_of_space(field))
        scores, numbers = self._search_of(field).search(query, k=k, excluded=excluded)
        ids = [self._id_at(int(number)) for number in numbers]
        for row_id, number in zip(ids, numbers, strict=True):
            self._numbers.remember(row_id, int(number))
        return [Hit(row_id, float(score)) for row_id, score in zip(ids, scores, strict=True)]

    def search_motion(
        self,
        query: np.ndarray,
        *,
        k: int,
        fingerprint: str,
        exclude_ids: Collection[str] = (),
        exclude_sources: Collection[str] = (),
    ) -> list[Hit]:
        """The k rows whose motion is most like that of `query`, motion tokens [L, D] of the encoders `fingerprint`: by
        cosine, best first. Every row's tokens are read. Raises InvalidSetting, TokensNotStored when any row lacks them.
        """
        space = next((space for space in self.manifest.tokens if space.fingerprint == fingerprint), None)
        if space is None or any(fingerprint not in files for files in self._tokens):
            raise self._tokens_not_stored(fingerprint, self.manifest.row_count)
        if query.shape != (space.tokens_per_clip, space.token_dim) or not np.isfinite(query).all():
            raise InvalidSetting(
                f"Expected finite motion tokens [{space.tokens_per_clip}, {space.token_dim}], received "
                f"{list(query.shape)}: encode the clip with {space.encoder_name}"
            )
        counts = [segment.row_count for segment in self.manifest.segments]
        files = [(files[fingerprint], count) for files, count in zip(self._tokens, counts, strict=True)]
        scores = motion_scores(files, query)
        excluded = self._excluded(exclude_ids, exclude_sources)
        if excluded is not None:
            scores[excluded] = -np.inf
        best = np.argsort(-scores, kind="stable")[: max(k, 0)]
        return [Hit(self._id_at(int(number)), float(scores[number])) for number in best if np.isfinite(scores[number])]

    def embeddings(self, ids: Sequence[str], field: Field) -> np.ndarray:
        """float32 [k, E] of the rows of `ids`; without a caption "text" gives the frame's embedding, or zeros where
        captions have a space of their own."""
        numbers = np.array([self._starts[segment] + index for segment, index in self._places(ids)], dtype=np.int64)
        return self._search_of(field).vectors.at(numbers)

    def vectors(self, field: Field) -> Vectors:
        """Of every row in the order of the segments, removed rows included, to be read in parts."""
        stored = self._stored(field)
        return Vectors(row_count=stored.row_count, dim=stored.dim, parts=stored.parts)

    def tokens(self, ids: Sequence[str], *, fingerprint: str) -> StoredTokens:
        """Stored tokens [k, L, D] of the rows of `ids`. Raises TokensNotStored when any row lacks these."""
        places = self._places(ids)
        if not places or any(fingerprint not in self._tokens[segment] for segment, _ in places):
            raise self._tokens_not_stored(fingerprint, len(places))
        found = (self._tokens[segment][fingerprint].row(index) for segment, index in places)
        tokens = StoredTokens(*(np.stack(kind) for kind in zip(*found, strict=True)))
        if not (np.isfinite(tokens.motion_tokens).all() and np.isfinite(tokens.appearance_tokens).all()):
            raise DatabaseDamaged(
                f"Expected finite tokens in {self.path.name}, found inf or nan: find the file with motionrag index "
                "verify, and rebuild the database."
            )
        return tokens

    def _tokens_not_stored(self, fingerprint: str, rows: int) -> TokensNotStored:
        stored = ", ".join(f"{space.fingerprint} ({space.encoder_name})" for space in self.manifest.tokens)
        return TokensNotStored(
            f"Expected tokens of fingerprint {fingerprint} for {rows} rows of {self.path.name}, found those of "
            f"{stored or 'none'}: rebuild it with this pack (motionrag index build ... --pack NAME), or encode the "
            "rows."
        )

    def has_source(self, name: str) -> bool:
        """Whether `name` is a row's id, or the path, file name or stem of a row's video."""
        return bool(self._numbers.of_ids([name])) or len(self._numbers.of_videos([name])) > 0

    def ids_called(self, name: str) -> list[str]:
        """Ids of the rows that `name` names, as in `has_source`, in the order of their commits; not of removed ones."""
        by_id = self._numbers.of_ids([name])
        numbers = np.array(list(by_id.values()), dtype=np.int64) if by_id else self._numbers.of_videos([name])
        return [self._id_at(int(number)) for number in numbers if not self.removed_rows()[number]]

    def ids_of_content(self, sha256: str) -> list[str]:
        """Ids of the rows whose video has the content of this hash (64 hex digits), wherever it lies now; not of
        removed ones."""
        start = f"{sha256[:32]}@"
        chunks = (chunk for rows in self._rows for chunk in rows.chunks("id"))
        masks = [pc.starts_with(chunk, start).to_numpy(zero_copy_only=False) for chunk in chunks]
        mask = np.concatenate(masks) if masks else np.zeros(0, dtype=bool)
        return [self._id_at(int(number)) for number in np.flatnonzero(mask & ~self.removed_rows())]

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders that relative sources of rows begin at."""
        return tuple(Path(os.path.abspath(self.path / root)) for root in self.manifest.roots)

    def search_kind(self, field: Field) -> str:
        """How `field` is searched: "exact", "flat", or an approximate index's kind, e.g. "hnsw32_sqfp16"."""
        return self._search_of(field).kind

    def search_facts(self, field: Field) -> Mapping[str, object]:
        """What was measured of the index in use: recall_at_10, the effort tuned for it and the parameter of that name
        (efSearch, nprobe), the number of held-out queries, the target; empty without an index."""
        return measured_facts(self._search_of(field).facts)

    def _places(self, ids: Sequence[str]) -> list[tuple[int, int]]:
        """(segment, row in it) of each id. Raises RowNotFound."""
        numbers, removed = self._numbers.of_ids(ids), self.removed_rows()
        for row_id in ids:
            if row_id not in numbers or removed[numbers[row_id]]:
                raise RowNotFound(
                    f"Expected the id of a row of {self.path.name}, received {row_id!r}: search again for current ids."
                )
        return [self._place(numbers[row_id]) for row_id in ids]

    def _place(self, number: int) -> tuple[int, int]:
        segment = bisect_right(self._starts, number) - 1
        return segment, number - self._starts[segment]

    def _id_at(self, number: int) -> str:
        segment, index = self._place(number)
        return str(self._rows[segment].value("id", index))

    def removed_rows(self) -> np.ndarray:
        """bool [rows], in the order of the segments."""
        if self._removed_mask is None:
            self._removed_mask = np.zeros(self.manifest.row_count, dtype=bool)
            # Without tombstones no id needs to be read, which matters to a large database.
            if self.manifest.tombstones:
                self._removed_mask = self._numbers.with_ids(self.manifest.tombstones)
        return self._removed_mask

    def _excluded(self, ids: Collection[str], sources: Collection[str]) -> np.ndarray | None:
        removed = self.removed_rows() if self.manifest.tombstones else None
        hidden = _either(removed, self._hidden)
        if not ids and not sources:
            return hidden
        excluded = np.zeros(self.manifest.row_count, dtype=bool) if hidden is None else hidden.copy()
        excluded[list(self._numbers.of_ids(ids).values())] = True
        excluded[self._numbers.of_videos(sources)] = True
        return excluded

    def _out_of_space(self, field: str) -> np.ndarray | None:
        """bool [rows]: true where a row has nothing in the space of `field`; None where all have."""
        if field == "frame" or self.manifest.text_space is None:
            return None
        if self._uncaptioned is None:
            masks = [~rows.has_caption() for rows in self._rows]
            self._uncaptioned = np.concatenate(masks) if masks else np.zeros(0, dtype=bool)
        return self._uncaptioned if self._uncaptioned.any() else None

    def _stored(self, field: str) -> StoredVectors:
        named = {segment.name: rows for segment, rows in zip(self.manifest.segments, self._rows, strict=True)}
        return StoredVectors(named, field, dim=self.manifest.space_of(field).dim)

    def _search_of(self, field: str) -> FieldSearch:
        if field not in self._searches:
            self._searches[field] = FieldSearch(self.path, self.manifest, field, self._stored(field))
        return self._searches[field]


def _either(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    """bool [rows]: true where either is; None stands for all false."""
    if first is None or second is None:
        return second if first is None else first
    either: np.ndarray | None = first | second
    return either

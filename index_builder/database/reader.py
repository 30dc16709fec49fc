"""Reading a motion database: rows, similarity search, embeddings and stored tokens, all from memory-mapped files."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

import numpy as np

from index_builder.database.manifest import FIELDS, Manifest, check_size, newest_manifest
from index_builder.database.rows import ClipRow, RowsFile
from index_builder.database.search_index import FieldSearch
from index_builder.database.tokens import StoredTokens, TokensFile
from index_builder.errors import DatabaseNotFound, InvalidSetting, RowNotFound, TokensNotStored

logger = logging.getLogger(__name__)
Field = Literal["text", "frame"]


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
            self._rows.append(RowsFile(rows_path, embedding_dim=manifest.embedding_dim, row_count=segment.row_count))
            files = {}
            for file in segment.tokens:
                space = spaces[file.fingerprint]
                shape = (segment.row_count, space.tokens_per_clip, space.token_dim)
                files[file.fingerprint] = TokensFile(check_size(path, file), shape=shape, fingerprint=file.fingerprint)
            self._tokens.append(files)
        self._starts = np.cumsum([0] + [segment.row_count for segment in manifest.segments])
        self._numbers: dict[str, int] | None = None
        self._removed_numbers: set[int] | None = None
        self._sources: dict[str, list[int]] | None = None
        self._searches: dict[str, FieldSearch] = {}

    @classmethod
    def open(cls, path: Path | str) -> MotionDatabase:
        """Opens the newest valid generation; a manifest that is damaged is passed over with a warning.

        Raises DatabaseNotFound, DatabaseTooNew, or DatabaseDamaged when a file of that generation is missing or wrong.
        """
        path = Path(path)
        if not path.is_dir():
            raise DatabaseNotFound(
                f"expected a database folder at {path}, found none: build it with "
                f"motionrag index build FOLDER --output {path}"
            )
        manifest, passed_over = newest_manifest(path)
        for problem in passed_over:
            logger.warning("reading generation %d instead: %s", manifest.generation, problem)
        return cls(path, manifest)

    @property
    def generation(self) -> int:
        """Counts the commits."""
        return self.manifest.generation

    @property
    def retrieval_fingerprint(self) -> str:
        """The space of the embeddings; only queries of the same space can be compared."""
        return self.manifest.retrieval_fingerprint

    @property
    def tokens_fingerprints(self) -> tuple[str, ...]:
        """Of the encoders and resamplers whose tokens are stored."""
        return tuple(space.fingerprint for space in self.manifest.tokens)

    def __len__(self) -> int:
        """Rows that were not removed."""
        return self.manifest.row_count - len(self._removed())

    def ids(self) -> list[str]:
        """Ids of the rows that were not removed, in the order of their commits."""
        removed = set(self.manifest.tombstones)
        return [row_id for row_id in self._number_of() if row_id not in removed]

    def rows(self, ids: Sequence[str]) -> list[ClipRow]:
        """The rows of `ids`, in that order. Raises RowNotFound."""
        return [self._rows[segment].row(index) for segment, index in map(self._place, ids)]

    def each_row(self, *columns: str) -> Iterator[tuple]:
        """The values of `columns` (names of ClipRow's fields) of each row that was not removed, in order."""
        removed = self._removed()
        for start, rows in zip(self._starts, self._rows, strict=False):
            values = zip(*(rows.column(name) for name in columns), strict=True)
            yield from (row for offset, row in enumerate(values) if int(start) + offset not in removed)

    def search(
        self,
        query: np.ndarray,
        *,
        field: Field,
        k: int,
        exclude_ids: Collection[str] = (),
        exclude_sources: Collection[str] = (),
    ) -> list[Hit]:
        """The k rows most similar to `query` (float32 [E], normalised), best first; fewer only where fewer are left.

        field "text" compares with caption embeddings (of clips without caption: with the frame's), "frame" with those
        of first frames. `exclude_sources` takes full paths, file names or stems. Raises InvalidSetting.
        """
        if field not in FIELDS:
            raise InvalidSetting(f"expected a field of {', '.join(FIELDS)}, received {field!r}: choose one of them")
        query = np.asarray(query, dtype=np.float32)
        if query.shape != (self.manifest.embedding_dim,) or not np.isfinite(query).all():
            raise InvalidSetting(
                f"expected a finite query of shape ({self.manifest.embedding_dim},), received {query.shape}: "
                f"encode it with {self.manifest.retrieval_description}"
            )
        excluded = self._excluded(exclude_ids, exclude_sources)
        scores, numbers = self._search_of(field).search(query, k=k, excluded=excluded)
        ids = [self._id_at(int(number)) for number in numbers]
        return [Hit(row_id, float(score)) for row_id, score in zip(ids, scores, strict=True)]

    def embeddings(self, ids: Sequence[str], field: Field) -> np.ndarray:
        """float32 [k, E] of the rows of `ids`; "text" gives the frame's embedding where there is no caption."""
        places = [self._place(row_id) for row_id in ids]
        found = [self._embeddings(field)[self.manifest.segments[segment].name][index] for segment, index in places]
        return np.stack(found) if found else np.empty((0, self.manifest.embedding_dim), dtype=np.float32)

    def all_embeddings(self, field: Field) -> np.ndarray:
        """float32 [rows, E] of every row in the order of the segments, removed rows included."""
        parts = [rows.embeddings(field) for rows in self._rows]
        return np.concatenate(parts) if parts else np.empty((0, self.manifest.embedding_dim), dtype=np.float32)

    def tokens(self, ids: Sequence[str], *, fingerprint: str) -> StoredTokens:
        """Stored tokens [k, L, D] of the rows of `ids`. Raises TokensNotStored when any row lacks these."""
        places = [self._place(row_id) for row_id in ids]
        if not places or any(fingerprint not in self._tokens[segment] for segment, _ in places):
            stored = ", ".join(f"{space.fingerprint} ({space.encoder_name})" for space in self.manifest.tokens)
            raise TokensNotStored(
                f"expected tokens of fingerprint {fingerprint} for {len(places)} rows of {self.path.name}, it stores "
                f"those of {stored or 'none'}: rebuild it with this pack (motionrag index build ... --pack NAME), or "
                "encode the rows"
            )
        found = [self._tokens[segment][fingerprint].rows([index]) for segment, index in places]
        return StoredTokens(
            np.concatenate([tokens.motion_tokens for tokens in found]),
            np.concatenate([tokens.appearance_tokens for tokens in found]),
        )

    def has_source(self, name: str) -> bool:
        """Whether `name` is a row's id, or the path, file name or stem of a row's video."""
        return name in self._number_of() or name in self._numbers_by_source()

    def ids_called(self, name: str) -> list[str]:
        """Ids of the rows that `name` names, as in `has_source`, in the order of their commits; not of removed ones."""
        numbers = self._numbers_by_source().get(name, [])
        called = [name] if name in self._number_of() else [self._id_at(number) for number in numbers]
        removed = set(self.manifest.tombstones)
        return [row_id for row_id in called if row_id not in removed]

    def search_kind(self, field: Field) -> str:
        """How `field` is searched: "exact", "flat" or "hnsw32"."""
        return self._search_of(field).kind

    def _number_of(self) -> dict[str, int]:
        if self._numbers is None:
            self._numbers = {}
            for start, rows in zip(self._starts, self._rows, strict=False):
                for offset, row_id in enumerate(rows.column("id")):
                    self._numbers.setdefault(row_id, int(start) + offset)
        return self._numbers

    def _numbers_by_source(self) -> dict[str, list[int]]:
        if self._sources is None:
            self._sources = {}
            for start, rows in zip(self._starts, self._rows, strict=False):
                for offset, source in enumerate(rows.column("source")):
                    path = PurePath(source)
                    for name in {source, path.name, path.stem}:
                        self._sources.setdefault(name, []).append(int(start) + offset)
        return self._sources

    def _place(self, row_id: str) -> tuple[int, int]:
        number = self._number_of().get(row_id)
        if number is None or number in self._removed():
            raise RowNotFound(
                f"expected the id of a row of {self.path.name}, received {row_id!r}: search again for current ids"
            )
        segment = int(np.searchsorted(self._starts, number, side="right")) - 1
        return segment, number - int(self._starts[segment])

    def _id_at(self, number: int) -> str:
        segment = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._rows[segment].value("id", number - int(self._starts[segment]))

    def _removed(self) -> set[int]:
        if self._removed_numbers is None:
            # Without tombstones no id needs to be read, which matters to a large database.
            numbers = self._number_of() if self.manifest.tombstones else {}
            self._removed_numbers = {numbers[row_id] for row_id in self.manifest.tombstones if row_id in numbers}
        return self._removed_numbers

    def _excluded(self, ids: Collection[str], sources: Collection[str]) -> np.ndarray | None:
        numbers = set(self._removed())
        numbers.update(self._number_of()[row_id] for row_id in ids if row_id in self._number_of())
        if sources:
            by_source = self._numbers_by_source()
            numbers.update(number for name in sources for number in by_source.get(name, ()))
        if not numbers:
            return None
        excluded = np.zeros(self.manifest.row_count, dtype=bool)
        excluded[list(numbers)] = True
        return excluded

    def _embeddings(self, field: str) -> dict[str, np.ndarray]:
        return self._search_of(field).embeddings_of

    def _search_of(self, field: str) -> FieldSearch:
        if field not in self._searches:
            named = zip(self.manifest.segments, self._rows, strict=True)
            embeddings_of = {segment.name: rows.embeddings(field) for segment, rows in named}
            self._searches[field] = FieldSearch(self.path, self.manifest, field, embeddings_of)
        return self._searches[field]

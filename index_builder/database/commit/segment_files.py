"""Segments: writing the files of one, under a name that its builder has announced, and reading its rows back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index_builder.database.commit import durable_files
from index_builder.database.format.id_hashes import ID_HASHES_FILE, encode_id_hashes
from index_builder.database.format.manifest import Segment, StoredFile, TokensFile, locate
from index_builder.database.format.rows import ClipRow, encode_rows
from index_builder.database.format.tokens import StoredTokens, encode_tokens, tokens_file_name
from index_builder.errors import InvalidSetting

ROWS_FILE = "rows.arrow"


@dataclass(frozen=True, kw_only=True)
class RowBatch:
    """Rows to commit together: text and frame embeddings float32 [rows, E], normalised, E perhaps another for each;
    tokens [rows, L, D]."""

    rows: Sequence[ClipRow]
    text: np.ndarray
    frame: np.ndarray
    tokens: StoredTokens

    def __post_init__(self) -> None:
        counts = {len(self.rows), len(self.text), len(self.frame), len(self.tokens.motion_tokens)}
        if len(counts) != 1 or not len(self.rows):
            raise InvalidSetting(
                f"Expected as many embeddings and tokens as rows (at least one), received {len(self.rows)} rows, "
                f"text {self.text.shape}, frame {self.frame.shape}, tokens {self.tokens.motion_tokens.shape}: mend the "
                "encoder."
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


@dataclass(frozen=True, kw_only=True)
class SegmentTicket:
    """Leave to write one segment, given by a builder that has announced its name: to itself, or to a worker on another
    machine that shares the database's storage. What is under `temporary` or unlisted goes when the builder is gone."""

    database: Path
    name: str
    temporary: str
    fingerprint: str
    sampling: Mapping[str, Any]

    def write(self, batch: RowBatch) -> Segment:
        """Brings the files in place; the segment belongs to the database once a manifest lists it."""
        temporary = self.database / "segments" / self.temporary
        durable_files.make_folder(temporary)
        rows = self._write_rows(temporary, batch.rows, encode_rows(batch.rows, text=batch.text, frame=batch.frame))
        content = encode_tokens(batch.tokens, fingerprint=self.fingerprint)
        tokens = vars(self._write(temporary, tokens_file_name(self.fingerprint), content))
        return self._bring_in_place(len(batch.rows), rows, (TokensFile(**tokens, fingerprint=self.fingerprint),))

    def write_over(self, old: Segment, rows: Sequence[ClipRow], *, text: np.ndarray, frame: np.ndarray) -> Segment:
        """As `write`, with other rows for the tokens of `old`, one for each of its own: the token files are linked, not
        copied, where the file system can."""
        temporary = self.database / "segments" / self.temporary
        durable_files.make_folder(temporary)
        file = self._write_rows(temporary, rows, encode_rows(rows, text=text, frame=frame))
        tokens = []
        for stored in old.tokens:
            name = stored.path.rsplit("/", 1)[-1]
            durable_files.link(locate(self.database, stored), temporary / name)
            tokens.append(replace(stored, path=f"segments/{self.name}/{name}"))
        return self._bring_in_place(len(rows), file, tuple(tokens))

    def _write_rows(self, temporary: Path, rows: Sequence[ClipRow], data: Any) -> StoredFile:
        file = self._write(temporary, ROWS_FILE, data)
        self._write(temporary, ID_HASHES_FILE, encode_id_hashes([row.id for row in rows], rows_sha256=file.sha256))
        return file

    def _write(self, temporary: Path, name: str, data: Any) -> StoredFile:
        content = memoryview(data)
        durable_files.write_new(temporary / name, content)
        durable_files.fsync_file(temporary / name)
        digest = hashlib.sha256(content).hexdigest()
        return StoredFile(path=f"segments/{self.name}/{name}", sha256=digest, size_bytes=content.nbytes)

    def _bring_in_place(self, row_count: int, rows: StoredFile, tokens: tuple[TokensFile, ...]) -> Segment:
        folder = self.database / "segments"
        durable_files.fsync_folder(folder / self.temporary)
        durable_files.rename(folder / self.temporary, folder / self.name)
        durable_files.fsync_folder(folder)
        return Segment(name=self.name, row_count=row_count, rows=rows, tokens=tokens, sampling=dict(self.sampling))

    def discard(self) -> None:
        """Removes what a worker that died has left of the segment."""
        for name in (self.temporary, self.name):
            durable_files.remove_tree(self.database / "segments" / name)

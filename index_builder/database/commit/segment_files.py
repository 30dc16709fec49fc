"""Segments: writing the files of one, under a name that its builder has announced, and reading its rows back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index_builder.database.commit import durable_files
from index_builder.database.format.manifest import Segment, StoredFile, TokensFile
from index_builder.database.format.rows import ClipRow, encode_rows
from index_builder.database.format.tokens import StoredTokens, encode_tokens, tokens_file_name
from index_builder.errors import InvalidSetting


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
        contents = {
            "rows.arrow": memoryview(encode_rows(batch.rows, text=batch.text, frame=batch.frame)),
            tokens_file_name(self.fingerprint): memoryview(encode_tokens(batch.tokens, fingerprint=self.fingerprint)),
        }
        files = []
        for file_name, content in contents.items():
            durable_files.write_new(temporary / file_name, content)
            durable_files.fsync_file(temporary / file_name)
            path = f"segments/{self.name}/{file_name}"
            digest = hashlib.sha256(content).hexdigest()
            files.append(StoredFile(path=path, sha256=digest, size_bytes=content.nbytes))
        durable_files.fsync_folder(temporary)
        durable_files.rename(temporary, self.database / "segments" / self.name)
        durable_files.fsync_folder(self.database / "segments")
        tokens = TokensFile(**vars(files[1]), fingerprint=self.fingerprint)
        rows = len(batch.rows)
        return Segment(name=self.name, row_count=rows, rows=files[0], tokens=(tokens,), sampling=dict(self.sampling))

    def discard(self) -> None:
        """Removes what a worker that died has left of the segment."""
        for name in (self.temporary, self.name):
            durable_files.remove_tree(self.database / "segments" / name)

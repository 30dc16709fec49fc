"""Ids in brief: sixteen bytes for each row, in a file beside rows.arrow, so that a row is found by its id without
reading through the rows. No manifest lists the file: it is a cache that proves for itself whose rows it is of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from index_builder.border import read_regular

ID_HASHES_FILE = "ids.hashes"
HASH_BYTES, DIGEST_BYTES = 16, 32


def encode_id_hashes(ids: Sequence[str], *, rows_sha256: str) -> bytes:
    """The file's content for rows of these ids, in their order, in the rows.arrow of this sha256."""
    body = b"".join(
        hashlib.blake2b(row_id.encode(errors="surrogatepass"), digest_size=HASH_BYTES).digest() for row_id in ids
    )
    return _digest(body, rows_sha256) + body


class IdHashes:
    """Of the rows of one rows.arrow, [rows, 2] in two halves."""

    def __init__(self, halves: np.ndarray) -> None:
        """Use `read`."""
        self._halves = halves

    @classmethod
    def read(cls, rows_path: Path, *, rows_sha256: str, row_count: int) -> IdHashes | None:
        """What lies beside `rows_path`; None when there is no such file, or it is of other rows."""
        try:
            due = DIGEST_BYTES + row_count * HASH_BYTES
            content = read_regular(rows_path.parent / ID_HASHES_FILE, most_bytes=due)
        except OSError:
            return None
        body = content[DIGEST_BYTES:]
        if len(body) != row_count * HASH_BYTES or content[:DIGEST_BYTES] != _digest(body, rows_sha256):
            return None
        return cls(np.frombuffer(body, dtype="<u8").reshape(-1, 2))

    def find(self, ids: Sequence[str]) -> Iterator[tuple[int, int]]:
        """(place of a row, place in `ids`) of each row that carries one of `ids`, rows ascending."""
        wanted = np.frombuffer(encode_id_hashes(ids, rows_sha256="")[DIGEST_BYTES:], dtype="<u8").reshape(-1, 2)
        if not len(wanted):
            return
        order = np.argsort(wanted[:, 0])
        first = wanted[order, 0]
        near = np.minimum(np.searchsorted(first, self._halves[:, 0]), len(first) - 1)
        for row in np.flatnonzero(first[near] == self._halves[:, 0]):
            place = int(order[near[row]])
            if wanted[place, 1] == self._halves[row, 1]:
                yield int(row), place


def _digest(body: bytes, rows_sha256: str) -> bytes:
    return hashlib.sha256(rows_sha256.encode() + body).digest()

"""Stored tokens: one safetensors file a segment and fingerprint, memory-mapped, its header checked before use."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index_builder.database.format.manifest_check import is_count
from index_builder.database.format.mapped_file import MappedFile
from index_builder.errors import DatabaseDamaged

KINDS = ("motion_tokens", "appearance_tokens")
MAX_HEADER_BYTES = 1 << 16
PLAIN_FINGERPRINT = re.compile(r"[A-Za-z0-9_\-]{1,64}")


@dataclass(frozen=True)
class StoredTokens:
    """Tokens of K rows: motion_tokens and appearance_tokens, float16 [K, L, D] each."""

    motion_tokens: np.ndarray
    appearance_tokens: np.ndarray

    def __post_init__(self) -> None:
        if self.motion_tokens.shape != self.appearance_tokens.shape or self.motion_tokens.ndim != 3:
            raise DatabaseDamaged(
                f"Expected motion and appearance tokens of one shape [K, L, D], received {self.motion_tokens.shape} "
                f"and {self.appearance_tokens.shape}: rebuild the database."
            )


def tokens_file_name(fingerprint: str) -> str:
    """`tokens-<fingerprint>.safetensors`, with a hash in place of a fingerprint that makes no plain file name."""
    plain = (
        fingerprint
        if PLAIN_FINGERPRINT.fullmatch(fingerprint)
        else hashlib.sha256(fingerprint.encode()).hexdigest()[:32]
    )
    return f"tokens-{plain}.safetensors"


def encode_tokens(tokens: StoredTokens, *, fingerprint: str) -> bytes:
    """The content of a tokens file."""
    from safetensors.numpy import save

    tensors = {kind: np.ascontiguousarray(getattr(tokens, kind), dtype=np.float16) for kind in KINDS}
    return save(tensors, metadata={"fingerprint": fingerprint})


class TokensFile:
    """A memory-mapped tokens file; reading rows touches only their pages."""

    def __init__(self, path: Path, *, shape: tuple[int, int, int], fingerprint: str) -> None:
        """`shape` is [rows, L, D] as the manifest says. Raises DatabaseDamaged when the file says otherwise."""
        self.path = path
        offset = self._check_header(shape, fingerprint)
        self._mapped, count = MappedFile(path), math.prod(shape)
        self.require_whole()
        self._arrays = {
            kind: np.frombuffer(self._mapped.content, dtype="<f2", count=count, offset=offset[kind]).reshape(shape)
            for kind in KINDS
        }

    def _check_header(self, shape: tuple[int, int, int], fingerprint: str) -> dict[str, int]:
        """The byte offset of each kind of tokens, after checking every number of the header."""
        size = self.path.stat().st_size
        with self.path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise self._damaged(f"its header would be {length} bytes long")
            try:
                header = json.loads(stream.read(length))
                metadata = header.pop("__metadata__")
                if set(header) != set(KINDS) or metadata != {"fingerprint": fingerprint}:
                    raise self._damaged(f"it holds {sorted(header)} of {metadata}")
                spans = {}
                for kind, entry in header.items():
                    start, end = entry["data_offsets"]
                    whole = is_count(start, 0, size) and is_count(end, 0, size)
                    due = whole and end - start == 2 * math.prod(shape)
                    if entry["dtype"] != "F16" or entry["shape"] != list(shape) or not due:
                        raise self._damaged(
                            f"{kind} are {entry['dtype']} {entry['shape']} where F16 {list(shape)} is due"
                        )
                    spans[kind] = (start, end)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise self._damaged(f"its header is not readable ({error})") from error
        ends = sorted(spans.values())
        if ends[0][0] != 0 or ends[0][1] != ends[1][0] or 8 + length + ends[1][1] != size:
            raise self._damaged("its tensors do not fill the file")
        return {kind: 8 + length + start for kind, (start, _) in spans.items()}

    def _damaged(self, why: str) -> DatabaseDamaged:
        return DatabaseDamaged(f"Expected sound tokens in {self.path}, but {why}: restore it from a backup or rebuild.")

    def require_whole(self) -> None:
        """Raises DatabaseDamaged when the file was cut short."""
        self._mapped.require_whole()

    def row(self, index: int) -> tuple[np.ndarray, ...]:
        """Tokens [L, D] of the row at `index`, one array of each of KINDS, in the map."""
        self.require_whole()
        return tuple(array[index] for array in self._arrays.values())

    def rows(self, indices: Sequence[int] | np.ndarray) -> StoredTokens:
        """Tokens of the rows at `indices`, copied out of the map."""
        self.require_whole()
        picked = np.asarray(indices, dtype=np.int64)
        return StoredTokens(*(np.asarray(self._arrays[kind][picked]) for kind in KINDS))

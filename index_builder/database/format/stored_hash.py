"""Whether a stored file is, byte for byte, what its manifest says."""

from __future__ import annotations

import hashlib
from pathlib import Path

from index_builder.database.format.manifest import StoredFile, check_size
from index_builder.errors import DatabaseDamaged

BLOCK_BYTES = 1 << 20


def require_hash(database: Path, file: StoredFile) -> None:
    """Reads the whole file. Raises DatabaseDamaged when it is missing, unreadable, or of other size or content."""
    path = check_size(database, file)
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise DatabaseDamaged(
            f"expected to read {path}, received {error}: restore it from a backup or rebuild"
        ) from error
    if digest.hexdigest() != file.sha256:
        raise DatabaseDamaged(
            f"expected {path} to have sha256 {file.sha256[:16]}…, it has {digest.hexdigest()[:16]}…: its "
            "bytes changed; restore it from a backup or rebuild"
        )

"""Whether a stored file is, byte for byte, what its manifest says."""

from __future__ import annotations

from pathlib import Path

from index_builder.content_hash import sha256_of
from index_builder.database.format.manifest import StoredFile, check_size
from index_builder.errors import DatabaseDamaged


def require_hash(database: Path, file: StoredFile) -> None:
    """Reads the whole file. Raises DatabaseDamaged when it is missing, unreadable, or of other size or content."""
    path = check_size(database, file)
    try:
        received = sha256_of(path)
    except OSError as error:
        raise DatabaseDamaged(
            f"Expected to read {path}, received {error}: restore it from a backup or rebuild."
        ) from error
    if received != file.sha256:
        raise DatabaseDamaged(
            f"Expected {path} to have sha256 {file.sha256[:16]}…, found {received[:16]}…, so its "
            "bytes changed: restore it from a backup or rebuild."
        )

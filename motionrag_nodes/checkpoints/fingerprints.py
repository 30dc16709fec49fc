"""Whether the encoders and the base model of a pack are those that it was made with, read from their files.

A pack that names a model of the hub instead of holding it can only be held to that name.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from index_builder.content_hash import add_content
from index_builder.features.encoders import fingerprint_encoder
from index_builder.model_files.folder import files_of_model
from motionrag_nodes.errors import PackInvalid

if TYPE_CHECKING:
    from motionrag_nodes.checkpoints.pack_config import PackConfig


def fingerprint_folder(folder: Path) -> str:
    """sha256 (16 hex digits) over the names and contents of all of a model's files."""
    digest = hashlib.sha256()
    for path in files_of_model(folder):
        digest.update(path.relative_to(folder).as_posix().encode())
        add_content(digest, path)
    return digest.hexdigest()[:16]


def require_encoder(config: PackConfig, folder: Path, role: str) -> None:
    """Raises PackInvalid when the files of an encoder inside the pack are not those of its fingerprint."""
    spec = config.encoders[role]
    if not (folder / spec.source).is_dir():
        return
    received = fingerprint_encoder(spec.kind, folder / spec.source, spec.preprocessing)
    if received != spec.fingerprint:
        raise PackInvalid(
            f"Expected the {role} encoder of fingerprint {spec.fingerprint} in {folder / spec.source}, found "
            f"{received}: its files were changed or swapped. Copy the pack again."
        )


def require_base(config: PackConfig, folder: Path) -> None:
    """Raises PackInvalid when the files of a base model inside the pack are not those of its fingerprint."""
    if config.base_fingerprint is None or not (folder / config.base).is_dir():
        return
    received = fingerprint_folder(folder / config.base)
    if received != config.base_fingerprint:
        raise PackInvalid(
            f"Expected the base model of fingerprint {config.base_fingerprint} in {folder / config.base}, found "
            f"{received}: its files were changed or swapped. Copy the pack again."
        )

"""Whether two databases are of one kind: encoded, decoded and cut alike, so that their rows can stand side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from index_builder.database.format.manifest import FIELDS, Manifest
from index_builder.errors import DatabaseMismatch


def check_same_kind(
    manifest: Manifest, template: Manifest, database: Path, *, asker: str = "this pack", remedy: str | None = None
) -> None:
    """Raises DatabaseMismatch unless what `template` would add can stand beside what `manifest` of `database` holds.

    `asker` is whose rows those would be.
    """
    remedy = remedy or f"build into another folder, or remove {database} to build it again"
    for field in FIELDS:
        ours, theirs = manifest.space_of(field), template.space_of(field)
        if ours.fingerprint != theirs.fingerprint:
            raise DatabaseMismatch(
                f"Expected {database.name} to be encoded by {theirs.description} ({theirs.fingerprint}) as by {asker}, "
                f"found {ours.description} ({ours.fingerprint}): {remedy}."
            )
    if _spaces(manifest) != _spaces(template):
        raise DatabaseMismatch(
            f"Expected motion tokens of {_named(template)} in {database.name}, as {asker} makes them, found those of "
            f"{_named(manifest)}: {remedy}."
        )
    if dict(manifest.clips) != dict(template.clips):
        raise DatabaseMismatch(
            f"Expected clips decoded as {dict(template.clips)} in {database.name}, as {asker} wants them, found "
            f"{dict(manifest.clips)}: {remedy}."
        )


def _spaces(manifest: Manifest) -> list[dict[str, Any]]:
    """What tokens are, whatever name the pack goes by."""
    return [vars(space) | {"encoder_name": ""} for space in manifest.tokens]


def _named(manifest: Manifest) -> str:
    return ", ".join(f"{space.encoder_name} ({space.fingerprint})" for space in manifest.tokens)

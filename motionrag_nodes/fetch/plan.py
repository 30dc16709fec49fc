"""What a fetch will download: each repository's files at the pinned commit, with sizes, licence and what is here."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.errors import HubRefused
from motionrag_nodes.fetch.hub import Hub

# What converting writes, and what a file system needs to stay usable.
SPARE_BYTES = 2 << 30
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class PlannedFile:
    """One file; size in bytes, None where only the cache was asked and does not hold it."""

    name: str
    size_bytes: int
    cached: bool


@dataclass(frozen=True)
class PlannedRepository:
    """A source at the commit that will be taken. licence: as the hub states it now; gated: whether terms must be
    accepted before a download."""

    source: HubSource
    commit: str
    licence: str
    gated: bool
    files: tuple[PlannedFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def missing_bytes(self) -> int:
        """Of the files that are still to be downloaded."""
        return sum(file.size_bytes for file in self.files if not file.cached)


@dataclass(frozen=True)
class FetchPlan:
    """Everything that one backbone needs."""

    repositories: tuple[PlannedRepository, ...]

    @property
    def missing_bytes(self) -> int:
        """Of all the files that are still to be downloaded."""
        return sum(repository.missing_bytes for repository in self.repositories)

    def commit_of(self, repo: str) -> str:
        """The commit that is taken of a repository."""
        return next(entry.commit for entry in self.repositories if entry.source.repo == repo)


def plan_fetch(sources: Sequence[HubSource], hub: Hub, *, latest: bool = False) -> FetchPlan:
    """Ask the hub about every source; one that is on this machine already is not asked about.

    latest: the newest commit of each repository instead of the pinned one.

    Raises HubUnreachable, HubRefused: see `Hub`; HubRefused also where a file is not in the repository.
    """
    return FetchPlan(tuple(_planned(source, hub, latest) for source in sources))


def require_room(plan: FetchPlan, folder: Path) -> None:
    """Raises HubRefused where the disk of `folder` has no room for what is missing."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    needed = plan.missing_bytes + SPARE_BYTES
    if plan.missing_bytes and free < needed:
        raise HubRefused(
            f"Expected {needed / 1e9:.1f} GB free for {folder}, found {free / 1e9:.1f} GB: make room, or choose "
            "another disk with --cache."
        )


def _planned(source: HubSource, hub: Hub, latest: bool) -> PlannedRepository:
    if not latest:
        here = [hub.cached_file(source.repo, name, source.revision) for name in source.files]
        if all(here):
            sizes = (path.stat().st_size for path in here if path)
            files = tuple(PlannedFile(name, size, True) for name, size in zip(source.files, sizes, strict=True))
            return PlannedRepository(source, source.revision, source.licence, False, files)
    info = hub.repository(source.repo, None if latest else source.revision)
    if not _COMMIT.fullmatch(str(info.sha)):  # it becomes the name of a folder
        raise HubRefused(
            f"Expected a commit of {source.repo} from the hub, received {str(info.sha)[:100]!r}: check "
            "HF_ENDPOINT, and run this again."
        )
    known = {entry.rfilename: entry.size for entry in info.siblings}
    absent = [name for name in source.files if name not in known]
    if absent:
        raise HubRefused(
            f"Expected {', '.join(absent)} in {source.repo} at {info.sha}, found {len(known)} other files: take the "
            "pinned commit (without --latest), or update MotionRAG."
        )
    files = tuple(
        PlannedFile(name, known[name] or 0, hub.cached_file(source.repo, name, info.sha) is not None)
        for name in source.files
    )
    planned = PlannedRepository(source, info.sha, _licence(info) or source.licence, bool(info.gated), files)
    if planned.gated and planned.missing_bytes:
        hub.require_access(source.repo)
    return planned


def _licence(info: Any) -> str | None:
    """What a repository's card states: a name of its own where the licence is an unusual one."""
    card = info.card_data
    stated = getattr(card, "license_name", None) or getattr(card, "license", None)
    return str(stated) if stated else None

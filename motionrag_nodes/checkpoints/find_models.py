"""Finds packs, databases and base models below given folders, for the editor and for the doctor alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PACK_MARK, BASE_MODEL_MARK, DATABASE_MARK = "pack.json", "model_index.json", "manifest-*.json"
DATABASES_VARIABLE = "MOTIONRAG_DATABASES"
PACKAGED_PACKS = Path(__file__).resolve().parents[1] / "packs"
# Made by `python -m training.samples`: a database, pictures and videos for the templates.
PACKAGED_SAMPLES = Path(__file__).resolve().parents[1] / "samples"
PACKAGED_DATABASES = PACKAGED_SAMPLES / "databases"
_MAX_DEPTH = 3


def find_packs(folders: Iterable[Path]) -> dict[str, Path]:
    """Every motion pack by name; those that come with the package first."""
    return _find([PACKAGED_PACKS, *folders], PACK_MARK)


def find_databases(folders: Iterable[Path]) -> dict[str, Path]:
    """Every motion database by name; those in folders that the environment names first, the packaged one last."""
    return _find([*database_folders_of_environment(), *folders, PACKAGED_DATABASES], DATABASE_MARK)


def find_base_models(folders: Iterable[Path]) -> dict[str, Path]:
    """Every video model in diffusers' folder layout by name."""
    return _find(folders, BASE_MODEL_MARK)


def database_folders_of_environment() -> list[Path]:
    """What MOTIONRAG_DATABASES names."""
    return [Path(part) for part in os.environ.get(DATABASES_VARIABLE, "").split(os.pathsep) if part]


def _find(roots: Iterable[Path], mark: str) -> dict[str, Path]:
    """Folders at or below the roots that hold the mark, by their path below the root; of two names the first wins."""

    def wanted(folder: Path) -> bool:
        try:
            return next(folder.glob(mark), None) is not None
        except OSError:  # as below
            return False

    found: dict[str, Path] = {}
    for root in roots:
        if not root.is_dir():
            continue
        if wanted(root):
            found.setdefault(root.name, root)
            continue
        for folder in _below(root, wanted, _MAX_DEPTH):
            found.setdefault(folder.relative_to(root).as_posix(), folder)
    return found


def _below(folder: Path, wanted: Callable[[Path], bool], depth: int) -> Iterator[Path]:
    try:
        children = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    except OSError:  # a folder that may not be listed holds nothing for us
        return
    for child in children:
        if wanted(child):
            yield child
        elif depth > 1:
            yield from _below(child, wanted, depth - 1)

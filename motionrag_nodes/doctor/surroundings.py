"""Where the doctor looks: the folders that an installation searches, and the ComfyUI it belongs to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from motionrag_nodes.batch_render.errors import ComfyUINotFound
from motionrag_nodes.batch_render.server.install import find_comfyui
from motionrag_nodes.checkpoints.find_models import PACKAGED_PACKS, database_folders_of_environment

KINDS = ("motionrag", "motion_databases", "diffusers")
EXTRA_PATHS_FILE = "extra_model_paths.yaml"


@dataclass(frozen=True)
class Surroundings:
    """Folders searched for packs, databases and base models, in the order searched; ComfyUI's version and folder where
    there is one; `output`: where results are written."""

    packs: tuple[Path, ...]
    databases: tuple[Path, ...]
    base_models: tuple[Path, ...]
    comfyui_version: str | None
    comfyui_folder: Path | None
    output: Path


def surroundings_of_command_line(comfyui: Path | None = None) -> Surroundings:
    """As the ComfyUI in `comfyui`, or else the one that `motionrag render` would start, searches them.

    Raises ComfyUINotFound when `comfyui` is not one; where nothing was named, there may be none.
    """
    try:
        install = find_comfyui(comfyui)
    except ComfyUINotFound:
        if comfyui is not None:
            raise
        return _surroundings(None, None, {kind: [] for kind in KINDS})
    # A packaged ComfyUI is copied to be run, and gets its models from the folder it is given then.
    folders = {kind: [] for kind in KINDS} if install.from_package else model_folders_of(install.folder)
    return _surroundings(install.version, install.folder, folders)


def model_folders_of(comfyui: Path) -> dict[str, list[Path]]:
    """The folders of each kind that a ComfyUI searches: those of its extra_model_paths.yaml, then its own."""
    found = {kind: list[Path]() for kind in KINDS}
    for kind, folder, first in _extra_paths(comfyui / EXTRA_PATHS_FILE):
        if kind in found and folder not in found[kind]:
            found[kind].insert(0 if first else len(found[kind]), folder)
    for kind in KINDS:
        found[kind].append(comfyui / "models" / kind)
    return found


def _surroundings(version: str | None, folder: Path | None, folders: dict[str, list[Path]]) -> Surroundings:
    return Surroundings(
        packs=(PACKAGED_PACKS, *folders["motionrag"]),
        databases=(*database_folders_of_environment(), *folders["motion_databases"]),
        base_models=tuple(folders["diffusers"]),
        comfyui_version=version,
        comfyui_folder=folder,
        output=Path.cwd(),
    )


def _extra_paths(file: Path) -> list[tuple[str, Path, bool]]:
    """(kind, folder, before all others) of each entry, read as ComfyUI reads the file; none where it cannot be."""
    if not file.is_file():
        return []
    import yaml

    try:
        sections = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError):
        return []  # ComfyUI does not start with such a file, and says why
    found = []
    for section in sections.values() if isinstance(sections, dict) else []:
        entries = dict(section) if isinstance(section, dict) else {}
        base = Path(os.path.expandvars(os.path.expanduser(str(entries.pop("base_path", "")))))
        first = bool(entries.pop("is_default", False))
        for kind, lines in entries.items():
            for line in filter(None, str(lines).split("\n")):
                found.append((kind, Path(os.path.normpath(file.parent / base / line)), first))
    return found

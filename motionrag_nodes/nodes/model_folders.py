"""Finds packs, databases, base models and reference videos in the folders that ComfyUI knows, and nowhere else.

models/motionrag holds packs, models/motion_databases databases, models/diffusers base models; extra_model_paths.yaml
may add folders under the same names. MOTIONRAG_DATABASES adds folders of databases by the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import folder_paths

from motionrag_nodes.nodes.errors import ChoiceNotFound

PACKS, DATABASES, BASE_MODELS = "motionrag", "motion_databases", "diffusers"
DATABASES_VARIABLE = "MOTIONRAG_DATABASES"
PACK_OWN_MODEL = "from the motion pack"
NOTHING_FOUND = "(none found)"
NO_VIDEO = "(none: use the connected frames)"
_MAX_DEPTH = 3
_Found = TypeVar("_Found")


def register() -> None:
    """Makes models/motionrag and models/motion_databases known to ComfyUI. Folders users added stay first."""
    for name in (PACKS, DATABASES):
        folder_paths.add_model_folder_path(name, os.path.join(folder_paths.models_dir, name))


def databases() -> dict[str, Path]:
    """Every motion database by its name below the folder it was found in."""
    named = [Path(part) for part in os.environ.get(DATABASES_VARIABLE, "").split(os.pathsep) if part]
    return _find([*named, *_configured(DATABASES)], _is_database)


def packs() -> dict[str, Path]:
    """Every motion pack by name; those that come with the package first."""
    packaged = Path(__file__).resolve().parents[1] / "packs"
    return _find([packaged, *_configured(PACKS)], lambda folder: (folder / "pack.json").is_file())


def base_models() -> dict[str, Path]:
    """Every video model in diffusers' folder layout by name."""
    return _find(_configured(BASE_MODELS), lambda folder: (folder / "model_index.json").is_file())


def reference_videos() -> dict[str, tuple[Path, ...]]:
    """Video files in ComfyUI's input folder by name, and its sub-folders that hold videos, by name and a slash."""
    root = Path(folder_paths.get_input_directory())
    found: dict[str, tuple[Path, ...]] = {name: (root / name,) for name in _videos_in(root)}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []:
        videos = tuple(folder / name for name in _videos_in(folder))
        if videos:
            found[f"{folder.name}/"] = videos
            found.update({f"{folder.name}/{video.name}": (video,) for video in videos})
    return found


def options(found: Mapping[str, object]) -> list[str]:
    """The names as a node offers them; never empty, since the editor shows an empty list as a broken input."""
    return list(found) or [NOTHING_FOUND]


def database(name: str) -> Path:
    """The folder of a database. Raises ChoiceNotFound: the names there are, the folders searched, how to make one."""
    folders = _configured(DATABASES)
    remedy = f"Build one: motionrag index build CLIPS_FOLDER --output {folders[0] / 'NAME'}"
    return _choose("motion database", name, databases(), folders, remedy)


def pack(name: str) -> Path:
    """The folder of a motion pack. Raises ChoiceNotFound."""
    folders = _configured(PACKS)
    remedy = f"Make one from published checkpoints: motionrag convert ... --output {folders[0] / 'NAME'}"
    return _choose("motion pack", name, packs(), folders, remedy)


def base_model(name: str) -> Path | None:
    """The folder of a base model, or None for the pack's own. Raises ChoiceNotFound."""
    if name == PACK_OWN_MODEL:
        return None
    folders = _configured(BASE_MODELS)
    remedy = f"Put a diffusers folder (with model_index.json) into {folders[0]}"
    return _choose("video model", name, base_models(), folders, remedy)


def reference_video(name: str) -> tuple[Path, ...]:
    """The files that a choice of reference videos stands for. Raises ChoiceNotFound."""
    folder = Path(folder_paths.get_input_directory())
    remedy = "Put video files there, or use the node's upload button"
    return _choose("reference video", name, reference_videos(), [folder], remedy)


def problem(choose: Callable[[str], object], name: str | None) -> str | bool:
    """For validate_inputs: True when `choose(name)` finds it, else why not. None: the value comes by a connection."""
    if name is None:
        return True
    try:
        choose(name)
    except ChoiceNotFound as error:
        return str(error)
    return True


def state(folder: Path, pattern: str) -> str:
    """For fingerprint_inputs: changes whenever a file of that pattern is added or rewritten."""
    files = sorted(folder.glob(pattern))
    return ";".join(f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files)


def _choose(what: str, name: str, found: Mapping[str, _Found], folders: Iterable[Path], remedy: str) -> _Found:
    if name in found:
        return found[name]
    there = ", ".join(found) or "none at all"
    searched = ", ".join(map(str, folders))
    raise ChoiceNotFound(f"There is no {what} {name!r}; found: {there}. Searched: {searched}. {remedy}")


def _configured(kind: str) -> list[Path]:
    return [Path(folder) for folder in folder_paths.get_folder_paths(kind)]


def _find(roots: Iterable[Path], wanted: Callable[[Path], bool]) -> dict[str, Path]:
    """Wanted folders at or below the roots; of two with the same name the first is taken."""
    found: dict[str, Path] = {}
    for root in roots:
        if wanted(root):
            found.setdefault(root.name, root)
        elif root.is_dir():
            for folder in _below(root, wanted, _MAX_DEPTH):
                found.setdefault(folder.relative_to(root).as_posix(), folder)
    return found


def _below(folder: Path, wanted: Callable[[Path], bool], depth: int) -> Iterable[Path]:
    try:
        children = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    except OSError:  # a folder that may not be listed holds nothing for us
        return
    for child in children:
        if wanted(child):
            yield child
        elif depth > 1:
            yield from _below(child, wanted, depth - 1)


def _is_database(folder: Path) -> bool:
    return next(folder.glob("manifest-*.json"), None) is not None


def _videos_in(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    found: list[str] = folder_paths.filter_files_content_types(names, ["video"])
    return found

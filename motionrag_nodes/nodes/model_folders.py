"""Finds packs, databases, base models and reference videos in the folders that ComfyUI knows, and nowhere else.

models/motionrag holds packs, models/motion_databases databases, models/diffusers base models; extra_model_paths.yaml
may add folders under the same names. MOTIONRAG_DATABASES adds folders of databases by the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import folder_paths

from index_builder.errors import InvalidSetting
from motionrag_nodes.checkpoints.find_models import (
    BASE_MODEL_MARK,
    DATABASE_MARK,
    PACK_MARK,
    PACKAGED_DATABASES,
    PACKAGED_PACKS,
    database_folders_of_environment,
    find_base_models,
    find_databases,
    find_packs,
)
from motionrag_nodes.nodes.errors import ChoiceNotFound

PACKS, DATABASES, BASE_MODELS = "motionrag", "motion_databases", "diffusers"
PACK_OWN_MODEL = "from the motion pack"
NOTHING_FOUND = "(none found)"
NO_VIDEO = "(none: use the connected frames)"
_DATABASE_NAME = re.compile(r"[^\W_][\w.\- ]{0,79}")
_Found = TypeVar("_Found")


def register() -> None:
    """Makes models/motionrag and models/motion_databases known to ComfyUI. Folders users added stay first."""
    for name in (PACKS, DATABASES):
        folder_paths.add_model_folder_path(name, os.path.join(folder_paths.models_dir, name))


def databases() -> dict[str, Path]:
    """Every motion database by its name below the folder it was found in."""
    return find_databases(_configured(DATABASES))


def packs() -> dict[str, Path]:
    """Every motion pack by name; those that come with the package first."""
    return find_packs(_configured(PACKS))


def base_models() -> dict[str, Path]:
    """Every video model in diffusers' folder layout by name."""
    return find_base_models(_configured(BASE_MODELS))


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


def searched() -> dict[str, list[Path]]:
    """Every folder that is looked into, by what for."""
    return {
        PACKS: [PACKAGED_PACKS, *_configured(PACKS)],
        DATABASES: [*database_folders_of_environment(), *_configured(DATABASES), PACKAGED_DATABASES],
        BASE_MODELS: _configured(BASE_MODELS),
    }


def database(name: str) -> Path:
    """The folder of a database. Raises ChoiceNotFound: what was expected and found, where, and the remedy."""
    target = _configured(DATABASES)[0] / (name if _DATABASE_NAME.fullmatch(name) else "NAME")
    build = f"motionrag index build CLIPS_FOLDER --output {target}"
    remedy = f"Build it: {build}, or use the node Index Folder; then press R in the editor"
    expected = f"{name}/{DATABASE_MARK}"
    return choose("motion database", name, databases(), searched()[DATABASES], expected=expected, remedy=remedy)


def new_database(name: str) -> Path:
    """Where a database of this name is or is to be made; the packaged one is never added to, but may be followed by
    one of its name, which is then the one that is found. Raises InvalidSetting for a name that could lead elsewhere."""
    there = databases().get(name)
    if there is not None and there.parent != PACKAGED_DATABASES:
        return there
    if not _DATABASE_NAME.fullmatch(name):
        raise InvalidSetting(
            f"Expected a name for the database of letters, digits, '.', '-', '_' and spaces, letters or digits first, "
            f"received {name!r}: choose another."
        )
    return _configured(DATABASES)[0] / name


def pack(name: str) -> Path:
    """The folder of a motion pack. Raises ChoiceNotFound."""
    remedy = (
        "Make it from published checkpoints: motionrag convert --backbone svd --motion-proj FILE --motion-transformer "
        f"FILE --adapter FILE --output {_configured(PACKS)[0] / 'NAME'}"
    )
    return choose("motion pack", name, packs(), searched()[PACKS], expected=f"{name}/{PACK_MARK}", remedy=remedy)


def base_model(name: str) -> Path | None:
    """The folder of a base model, or None for the pack's own. Raises ChoiceNotFound."""
    if name == PACK_OWN_MODEL:
        return None
    folders = searched()[BASE_MODELS]
    remedy = (
        "Get it: hf download stabilityai/stable-video-diffusion-img2vid --local-dir "
        f"{folders[0] / 'stable-video-diffusion-img2vid'}"
    )
    expected = f"{name}/{BASE_MODEL_MARK}"
    return choose("video model", name, base_models(), folders, expected=expected, remedy=remedy)


def reference_video(name: str) -> tuple[Path, ...]:
    """The files that a choice of reference videos stands for. Raises ChoiceNotFound."""
    folder = Path(folder_paths.get_input_directory())
    remedy = "Put video files there and press R in the editor, or use the node's upload button"
    return choose("reference video", name, reference_videos(), [folder], expected=name, remedy=remedy)


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


def choose(
    what: str, name: str, found: Mapping[str, _Found], folders: Iterable[Path], *, expected: str, remedy: str
) -> _Found:
    """What was found under `name`. Raises ChoiceNotFound: `expected` is the file that would have made it one."""
    if name in found:
        return found[name]
    there = ", ".join(found) or "none at all"
    searched = ", ".join(map(str, folders))
    raise ChoiceNotFound(f"Expected the {what} {name!r} ({expected} in one of {searched}), found {there}. {remedy}.")


def _configured(kind: str) -> list[Path]:
    return [Path(folder) for folder in folder_paths.get_folder_paths(kind)]


def _videos_in(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    found: list[str] = folder_paths.filter_files_content_types(names, ["video"])
    return found

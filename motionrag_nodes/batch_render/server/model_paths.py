"""Where a ComfyUI that is started finds the user's models, databases and packs besides in its own folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from motionrag_nodes.batch_render.errors import ComfyUINotFound

EXTRA_PATHS_NAME = "extra_model_paths.yaml"
CONFIG_NAME = "motionrag_paths.yaml"
# Looked for in the current folder: where the README has databases built, and what `make demo` makes.
_MODELS_HERE = ("models", "demo_output/comfyui/models")


def models_here(folder: Path) -> list[Path]:
    """The folders named `models` of the current folder that a newcomer's commands have filled."""
    return [folder / name for name in _MODELS_HERE if (folder / name).is_dir()]


def extra_path_files(base: Path | None, given: Sequence[Path]) -> list[Path]:
    """The user's own lists of model folders: those given, and the one that lies in `base`, as in a ComfyUI folder.

    Raises ComfyUINotFound: a given one is not there.
    """
    for path in given:
        if not path.is_file():
            raise ComfyUINotFound(
                f"Expected a file such as ComfyUI's {EXTRA_PATHS_NAME} at {path}, found none: check "
                "--extra-model-paths."
            )
    own = [base / EXTRA_PATHS_NAME] if base is not None and (base / EXTRA_PATHS_NAME).is_file() else []
    return [path.resolve() for path in (*own, *given)]


def write_config(folder: Path, *, models: Sequence[Path], custom_nodes: Path | None) -> Path | None:
    """A list of model folders for ComfyUI: every sub-folder of `models`, and `custom_nodes`. None where it is empty."""
    sections = []
    if custom_nodes is not None:
        sections.append(f"motionrag:\n  custom_nodes: {json.dumps(str(custom_nodes))}\n")
    for number, root in enumerate(models):
        kinds = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        if kinds:
            lines = [f"  {json.dumps(path.name)}: {json.dumps(str(path.resolve()))}\n" for path in kinds]
            sections.append(f"models_{number}:\n" + "".join(lines))
    if not sections:
        return None
    config = folder / CONFIG_NAME
    config.write_text("".join(sections), encoding="utf-8")
    return config

"""What a folder in diffusers' layout may say: components of a table, each with its own settings only.

diffusers (https://huggingface.co/docs/diffusers) takes each component's library and class from model_index.json, and
older versions import them from Python files in the folder.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.folder import require_plain_folder
from index_builder.model_files.settings_file import read_settings, require_keys, require_layers
from index_builder.model_files.transformers_settings import (
    require_image_processor_settings,
    require_model_settings,
    require_tokenizer_settings,
)

INDEX_FILE = "model_index.json"

# component -> classes that it may be, as library.class
Components = Mapping[str, Sequence[str]]

_NOTES = frozenset({"_class_name", "_diffusers_version", "_name_or_path"})
# Weights that were averaged while training carry what the average was made with.
_AVERAGE_KEYS = frozenset("decay inv_gamma min_decay optimization_step power update_after_step use_ema_warmup".split())
# Schedulers keep each other's settings, so that one can be made from another.
_SCHEDULERS = (
    "CogVideoXDDIMScheduler", "CogVideoXDPMScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler",
    "EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler", "PNDMScheduler", "UniPCMultistepScheduler",
)  # fmt: skip


def require_diffusers_folder(
    folder: Path, *, pipeline: str, components: Components, options: Sequence[str] = (), in_hub_cache: bool = False
) -> None:
    """Check everything in a folder that diffusers and transformers will interpret to load a pipeline.

    `components` lists the classes that each part may have; a part that the index does not name is left to the
    pipeline. `options` are the pipeline's own settings that the index may hold beside its parts.

    Raises ModelFilesRefused: the folder holds other files, parts, classes or settings than `pipeline` is made of.
    """
    require_plain_folder(folder, in_hub_cache=in_hub_cache)
    index_path = folder / INDEX_FILE
    index = read_settings(index_path)
    if index.get("_class_name") != pipeline:
        raise ModelFilesRefused(
            f"Expected a {pipeline} at {folder}, found {str(index.get('_class_name'))[:60]}: choose another model."
        )
    require_keys(index_path, index, {*_NOTES, *components, *options})
    for name, classes in components.items():
        if name not in index or index[name] in (None, [None, None]):
            continue
        _require_class(index_path, name, index[name], classes)
        _require_component(folder / name, str(index[name][0]), str(index[name][1]), classes)


def require_component_folder(folder: Path, class_name: str) -> None:
    """Check the settings of one component that is loaded by itself. Raises ModelFilesRefused."""
    _require_component(folder, "diffusers", class_name, (f"diffusers.{class_name}",))


def _require_class(path: Path, name: str, entry: Any, classes: Sequence[str]) -> None:
    received = ".".join(map(str, entry)) if isinstance(entry, list) and len(entry) == 2 else str(entry)
    if received not in classes:
        raise ModelFilesRefused(
            f"Expected the component {name} of {path} to be {' or '.join(classes)}, received {received[:80]!r}: "
            "choose a model whose parts come from diffusers and transformers."
        )


def _require_component(folder: Path, library: str, class_name: str, classes: Sequence[str]) -> None:
    if not folder.is_dir():
        raise ModelFilesRefused(f"Expected the folder {folder} of {class_name}, found none: copy the model again.")
    if library == "transformers":
        _require_transformers(folder, class_name)
        return
    scheduler = class_name.endswith("Scheduler")
    path = folder / ("scheduler_config.json" if scheduler else "config.json")
    values = read_settings(path)
    if f"diffusers.{values.get('_class_name', class_name)}" not in classes:
        raise ModelFilesRefused(
            f"Expected the settings of {class_name} at {path}, received those of {str(values['_class_name'])[:60]}: "
            "copy the model again."
        )
    own = _scheduler_keys() if scheduler else _settings_of(class_name) | _AVERAGE_KEYS
    require_keys(path, values, _NOTES | own)
    require_layers(path, values)


def _require_transformers(folder: Path, class_name: str) -> None:
    if "Tokenizer" in class_name:
        require_tokenizer_settings(folder)
    elif "ImageProcessor" in class_name or "FeatureExtractor" in class_name:
        require_image_processor_settings(folder)
    else:
        import transformers

        require_model_settings(folder, getattr(transformers, class_name).config_class)


@cache
def _settings_of(class_name: str) -> frozenset[str]:
    """Names of a diffusers class's own settings: the parameters it is made with."""
    import diffusers

    return frozenset(inspect.signature(getattr(diffusers, class_name).__init__).parameters) - {"self", "kwargs"}


@cache
def _scheduler_keys() -> frozenset[str]:
    import diffusers

    return frozenset().union(*(_settings_of(name) for name in _SCHEDULERS if hasattr(diffusers, name)))

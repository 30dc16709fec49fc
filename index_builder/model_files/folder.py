"""A model's folder: no code, no pickles, no way out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.settings_file import read_settings

CODE_SUFFIXES = frozenset(
    ".py .pyc .pyo .pyd .pyw .pyx .so .dll .dylib .exe .sh .bash .bat .cmd .ps1 .js .jar .whl .egg".split()
)
PICKLE_SUFFIXES = frozenset(
    ".bin .pt .pth .ckpt .pkl .pickle .joblib .dill .npy .npz .h5 .hdf5 .keras .msgpack .pb .mar .ot .nemo".split()
)
INDEX_SUFFIX = ".index.json"
WEIGHTS_SUFFIX = ".safetensors"
# A cache keeps whole repositories, pickles beside safetensors; its files are links to ../../blobs of one repository.
_ADAPTER_NAMES = frozenset({"adapter_config.json"})


def require_plain_folder(
    folder: Path, *, in_hub_cache: bool = False, code_allowed: bool = False, left_out: Sequence[str] = ()
) -> None:
    """Check every file of a model's folder, at any depth, by its name and place; hidden folders are never opened.

    A folder that someone handed over may hold neither code nor pickles. In the hub's cache (`in_hub_cache`), where
    whole repositories lie, they may lie too, since loaders here read safetensors by name; what would lead a loader to
    other files is refused in both. `code_allowed` lets Python files be there, for those who have read them. What
    lies in the folders `left_out`, named from `folder` on, is checked by whoever opens it.

    Raises ModelFilesRefused: names the first file that may not be there, and says why.
    """
    root = folder.resolve()
    inside = root.parent.parent if in_hub_cache else root
    for path in sorted(_files_below(root)):
        shown = path.relative_to(root).as_posix()
        if any(shown.startswith(f"{name}/") for name in left_out):
            continue
        suffix = path.suffix.lower()
        if not path.resolve().is_relative_to(inside):
            raise _refused(folder, shown, "it is a link that leads out of the folder", "copy the file itself")
        if path.exists() and not path.is_file():
            raise _refused(folder, shown, "it is neither a file nor a folder", "remove it")
        if path.name.lower() in _ADAPTER_NAMES:
            raise _refused(folder, shown, "libraries follow it to other models", "merge the adapter into the weights")
        if not in_hub_cache and suffix in CODE_SUFFIXES and not (code_allowed and suffix == ".py"):
            raise _refused(folder, shown, "a model's folder holds no code here, and none is run", "remove it")
        if not in_hub_cache and suffix in PICKLE_SUFFIXES:
            raise _refused(
                folder, shown, "files of this kind can run code when they are opened", "keep only the .safetensors"
            )
        if shown.lower().endswith(INDEX_SUFFIX) and (not in_hub_cache or WEIGHTS_SUFFIX in path.name.lower()):
            _require_index(folder, path, shown)


def files_of_model(folder: Path) -> list[Path]:
    """Every file of a model's folder, sorted, but hidden ones, which no loader opens."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _files_below(root: Path) -> Iterator[Path]:
    """Files and whatever else is no folder; a folder that is a link counts as a file, so that it is looked at."""
    for place, folders, files in os.walk(root):
        here = Path(place)
        yield from (here / name for name in files)
        yield from (here / name for name in folders if (here / name).is_symlink())
        folders[:] = [name for name in folders if not name.startswith(".") and not (here / name).is_symlink()]


def _require_index(folder: Path, path: Path, shown: str) -> None:
    """An index of weights in parts: every part is a safetensors file that lies beside it."""
    parts = read_settings(path).get("weight_map")
    if not isinstance(parts, dict) or not all(isinstance(name, str) for name in parts.values()):
        raise _refused(folder, shown, "it maps no tensors to files", "copy the model again")
    for name in sorted(set(parts.values())):
        if "/" in name or "\\" in name or not name.lower().endswith(WEIGHTS_SUFFIX):
            raise _refused(
                folder, shown, f"it names {name[:80]!r}", "an index may name only .safetensors files beside it"
            )
        if not (path.parent / name).is_file():
            raise _refused(folder, shown, f"it names {name[:80]!r}, which is not there", "copy the model again")


def _refused(folder: Path, name: str, reason: str, remedy: str) -> ModelFilesRefused:
    return ModelFilesRefused(
        f"Expected only safetensors files and their settings in {folder}, found {name}: {reason}. To use this model, "
        f"{remedy}."
    )

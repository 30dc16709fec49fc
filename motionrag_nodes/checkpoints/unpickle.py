"""Open a foreign torch checkpoint without running anything that it may hold."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from packaging.version import Version

from motionrag_nodes.errors import CheckpointInvalid, CheckpointRefused

# Before it, weights_only can be led to run code (CVE-2025-32434).
SAFE_TORCH = "2.6"
# Modules whose names stand in every honest checkpoint: torch rebuilds tensors and ordered dictionaries with them.
_HARMLESS_MODULES = ("torch", "collections")
# Of torch's DistributedDataParallel and of torch.compile.
_WRAPPERS = ("module.", "_orig_mod.")
_REFUSED_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a .ckpt: its `state_dict`, or the file itself where it is a flat dictionary.

    Raises CheckpointInvalid: the file is missing, damaged, or no dictionary of tensors. CheckpointRefused: it wants to
    run code on loading, or this torch cannot be held from running it.
    """
    if Version(torch.__version__) < Version(SAFE_TORCH):
        raise CheckpointRefused(
            f"Expected torch {SAFE_TORCH} or later to open a checkpoint without running code that it may hold, found "
            f"{torch.__version__}: convert it where torch is newer; the pack that comes of it works with older ones."
        )
    if path.is_dir():
        raise CheckpointInvalid(f"Expected a checkpoint file, received the folder {path}: {_files_in(path)}.")
    if not path.is_file():
        raise CheckpointInvalid(f"Expected a checkpoint at {path}, found no file: correct the path.")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = sorted({name for name in _names_called(path) if name.split(".")[0] not in _HARMLESS_MODULES})
        refused = refused or _REFUSED_GLOBAL.findall(str(error))
        if not refused:
            raise CheckpointInvalid(
                f"Expected a torch checkpoint at {path}, found something else: download it again."
            ) from error
        raise CheckpointRefused(
            f"Expected tensors only in {path}, but loading it would call {', '.join(refused)}, so it was not loaded. "
            "Take the file from the authors' own release; if you trust it, save its tensors alone with torch.save."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointInvalid(
            f"Expected a torch checkpoint at {path}, found a damaged file ({_first_line(error)}): download it again."
        ) from error
    return _tensors(path, values)


def _files_in(folder: Path) -> str:
    found = sorted(path.name for path in folder.glob("*.ckpt"))
    return f"name one of the files in it ({', '.join(found)})" if found else "it holds no .ckpt file, choose another"


def _tensors(path: Path, values: Any) -> dict[str, torch.Tensor]:
    state = values.get("state_dict", values) if isinstance(values, dict) else values
    if not isinstance(state, dict) or not state:
        raise CheckpointInvalid(
            f"Expected a dictionary of tensors in {path}, found {type(state).__name__}: choose another file."
        )
    others = [str(key) for key, value in state.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise CheckpointInvalid(
            f"Expected tensors only in {path}, found other values at {', '.join(sorted(others)[:10])}: "
            "choose the file of weights, not the training state."
        )
    return _unwrapped({str(key): value for key, value in state.items()})


def _unwrapped(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without what training in parallel or compiled puts before every key of a state."""
    for wrapper in _WRAPPERS:
        if all(key.startswith(wrapper) for key in state):
            return _unwrapped({key.removeprefix(wrapper): value for key, value in state.items()})
    return state


def _names_called(path: Path) -> Iterator[str]:
    """Functions and classes that a checkpoint names ("os.system"), read from its opcodes without running any."""
    texts: list[str] = []
    stream = io.BytesIO(_pickled_bytes(path))
    size = stream.getbuffer().nbytes
    try:
        while stream.tell() < size:  # torch's older files are several pickles in a row
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name in ("GLOBAL", "INST"):
                    yield str(argument).replace(" ", ".")
                elif opcode.name == "STACK_GLOBAL":
                    yield ".".join(texts[-2:])
                elif isinstance(argument, str):
                    texts.append(argument)
    except ValueError:  # raw tensor bytes, or nonsense: what was named before still counts
        return


def _pickled_bytes(path: Path) -> bytes:
    """The pickle of a checkpoint: torch's zip archives hold it as data.pkl, older files are one."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

"""The weights of a pack on disk: read after place, size and hash were checked, written as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from index_builder.content_hash import sha256_of
from index_builder.errors import ModelFilesRefused
from index_builder.model_files.weights import read_weights
from motionrag_nodes.checkpoints.pack_config import PackConfig, PackFile
from motionrag_nodes.errors import PackInvalid

State = Mapping[str, torch.Tensor]


def read_file(folder: Path, config: PackConfig, name: str) -> dict[str, torch.Tensor]:
    """One safetensors file of the pack, after its place, size and hash have been checked. Raises PackInvalid."""
    path, entry = folder / name, config.files[name]
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise PackInvalid(f"Expected the file {name} inside {folder}, found none: copy the pack again.")
    size = path.stat().st_size
    if size != entry.size_bytes:
        raise PackInvalid(f"Expected {entry.size_bytes} bytes in {path}, found {size}: copy the pack again.")
    received = sha256_of(path)
    if received != entry.sha256:
        raise PackInvalid(f"Expected sha256 {entry.sha256} of {path}, found {received}: copy the pack again.")
    try:
        return read_weights(path)
    except ModelFilesRefused as error:
        raise PackInvalid(str(error)) from error


def write_file(path: Path, state: State, dtype: torch.dtype | None) -> PackFile:
    """Writes a safetensors file, in `dtype` where one is given, and waits until the disk has it."""
    # clone: tensors of one storage are an error in safetensors, and views are common in checkpoints
    save_file(
        {key: value.detach().to("cpu", dtype or value.dtype).clone().contiguous() for key, value in state.items()}, path
    )
    path.chmod(0o644)  # safetensors makes files that only their owner reads; packs are shared
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return PackFile(sha256=sha256_of(path), size_bytes=path.stat().st_size)


def put_in_place(draft: Path, folder: Path) -> None:
    """Rename the finished draft; a pack that is there stays until the new one is ready beside it."""
    if not folder.exists():
        os.rename(draft, folder)
        return
    old = draft.with_name(draft.name + "-old")
    os.rename(folder, old)
    try:
        os.rename(draft, folder)
    except OSError:
        os.rename(old, folder)
        raise
    shutil.rmtree(old)

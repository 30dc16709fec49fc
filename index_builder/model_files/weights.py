"""Weights in safetensors files: how much they hold, read from their headers before memory is asked for; and the weights
themselves, in memory of their own.

Libraries map such files and leave the weights in the map: a file that is cut short by a copy over it for one, then
ends the process without a word (SIGBUS).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from index_builder.errors import ModelFilesRefused

_SLACK_SHARE, _SLACK_COUNT = 1.1, 1_000_000  # heads that a file leaves out, tables that a model computes itself


def weights_files(folder: Path) -> list[Path]:
    """The safetensors files that lie in a folder itself, by name."""
    return sorted(path for path in folder.glob("*.safetensors") if path.is_file())


def require_fit(model: nn.Module, files: Sequence[Path], *, what: str) -> None:
    """Check that settings ask for no larger model than the files hold; `model` lies on the meta device.

    Raises ModelFilesRefused: the model has many more parameters than the files, or a file is damaged.
    """
    wanted = sum(parameter.numel() for parameter in model.parameters())
    stored = sum(_count(path) for path in files)
    if wanted > _SLACK_SHARE * stored + _SLACK_COUNT:
        raise ModelFilesRefused(
            f"Expected settings of {what} that fit its {stored:,} stored numbers, received settings for {wanted:,}: "
            "copy the model again."
        )


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file by their names, on the CPU, read without a map.

    Raises ModelFilesRefused: the file is of another kind, damaged, or was cut short while it was read.
    """
    try:
        with safe_open(path, framework="pt", backend="pread") as file:
            return {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def leave_map(model: nn.Module) -> None:
    """Copy the weights of a model that a library loaded, so that they no longer lie in the map of a file."""
    for tensor in chain(model.parameters(), model.buffers()):
        tensor.data = tensor.data.clone()


def _count(path: Path) -> int:
    try:
        with safe_open(path, framework="pt") as file:
            return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ModelFilesRefused:
    return ModelFilesRefused(
        f"Expected a safetensors file at {path}, found another kind or a damaged one ({error}): copy the model again."
    )

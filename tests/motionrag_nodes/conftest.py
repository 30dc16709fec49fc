"""Fixtures of the stages' tests: golden tensors and tiny real models, made with fixed seeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

GOLDEN_FOLDER = Path(__file__).parents[1] / "golden"


@dataclass(frozen=True)
class Golden:
    """One golden file: tensors in float32 by full key, and the configuration."""

    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]

    def group(self, prefix: str) -> dict[str, torch.Tensor]:
        """The tensors below `prefix`, by the rest of their key."""
        return {key[len(prefix) + 1 :]: value for key, value in self.tensors.items() if key.startswith(f"{prefix}.")}


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Golden]:
    def load(name: str) -> Golden:
        with safe_open(GOLDEN_FOLDER / f"{name}.safetensors", "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            config = json.loads(file.metadata()["config"])
        # Whole models are stored in float16 for size; the published modules computed on the widened values.
        return Golden(config, {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})

    return load

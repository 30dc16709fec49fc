"""A whole DynamiCrafter at tiny size, with random weights, written and read as a converted one is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motionrag_nodes.backbones.dynamicrafter.folder import read_folder
from motionrag_nodes.backbones.dynamicrafter.model import DynamiCrafterPipeline
from tests.motionrag_nodes.backbones.dynamicrafter.tiny import save_pipeline


@pytest.fixture(scope="package")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be read only."""
    folder = tmp_path_factory.mktemp("dynamicrafter") / "base"
    save_pipeline(folder)
    return folder


@pytest.fixture
def pipeline(base_folder: Path) -> DynamiCrafterPipeline:
    made = read_folder(base_folder, dtype=torch.float32)
    made.set_progress_bar_config(disable=True)
    return made

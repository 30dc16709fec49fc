"""Folders are those that ComfyUI searches: its own, and those of extra_model_paths.yaml."""

from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import ComfyUINotFound
from motionrag_nodes.checkpoints.find_models import PACKAGED_PACKS
from motionrag_nodes.doctor.surroundings import model_folders_of, surroundings_of_command_line


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """A ComfyUI as far as finding one goes."""
    (tmp_path / "comfy").mkdir()
    for name in ("main.py", "nodes.py"):
        (tmp_path / name).touch()
    (tmp_path / "comfyui_version.py").write_text('__version__ = "0.3.75"')
    return tmp_path


def test_its_own_folders_and_the_configured_ones(comfyui: Path, monkeypatch) -> None:
    (comfyui / "extra_model_paths.yaml").write_text(
        """
studio:
  base_path: /mnt/models
  motionrag: packs
  motion_databases: |
    winter
    summer
first:
  is_default: true
  motion_databases: /fast/databases
empty:
"""
    )
    monkeypatch.setenv("MOTIONRAG_DATABASES", "/from/environment")
    found = surroundings_of_command_line(comfyui)
    models = comfyui / "models"
    assert found.packs == (PACKAGED_PACKS, Path("/mnt/models/packs"), models / "motionrag")
    assert found.databases == (
        Path("/from/environment"),
        Path("/fast/databases"),
        Path("/mnt/models/winter"),
        Path("/mnt/models/summer"),
        models / "motion_databases",
    )
    assert found.base_models == (models / "diffusers",)
    assert (found.comfyui_version, found.comfyui_folder) == ("0.3.75", comfyui)


def test_a_broken_file_of_paths_leaves_the_own_folders(comfyui: Path) -> None:
    (comfyui / "extra_model_paths.yaml").write_text("a: [")
    assert model_folders_of(comfyui)["motionrag"] == [comfyui / "models" / "motionrag"]


def test_a_folder_that_is_no_comfyui_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ComfyUINotFound, match="Expected a ComfyUI folder"):
        surroundings_of_command_line(tmp_path)

"""Folders of models for a ComfyUI that is started."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from motionrag_nodes.batch_render.errors import ComfyUINotFound
from motionrag_nodes.batch_render.server.model_paths import extra_path_files, models_here, write_config


def test_every_kind_of_model_below_a_folder_is_offered(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for name in ("motion_databases", "check points", ".cache"):
        (models / name).mkdir(parents=True)
    config = write_config(tmp_path, models=[models], custom_nodes=tmp_path / "nodes")
    assert config is not None
    written = yaml.safe_load(config.read_text())
    assert written == {
        "motionrag": {"custom_nodes": str(tmp_path / "nodes")},
        "models_0": {name: str(models / name) for name in ("check points", "motion_databases")},
    }
    assert write_config(tmp_path, models=[tmp_path / "models" / ".cache"], custom_nodes=None) is None


def test_what_the_readme_s_commands_made_is_found(tmp_path: Path) -> None:
    assert models_here(tmp_path) == []
    (tmp_path / "demo_output" / "comfyui" / "models").mkdir(parents=True)
    (tmp_path / "models").mkdir()
    assert models_here(tmp_path) == [tmp_path / "models", tmp_path / "demo_output/comfyui/models"]


def test_the_user_s_own_list_is_read(tmp_path: Path) -> None:
    own, given = tmp_path / "extra_model_paths.yaml", tmp_path / "other.yaml"
    own.write_text("")
    given.write_text("")
    assert extra_path_files(tmp_path, [given]) == [own, given]
    assert extra_path_files(None, []) == []
    with pytest.raises(ComfyUINotFound, match=r"at .*none\.yaml, found none"):
        extra_path_files(None, [tmp_path / "none.yaml"])

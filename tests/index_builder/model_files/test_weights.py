"""Settings that ask for more than the stored weights hold are refused before any memory is asked for."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.weights import require_fit, weights_files


def on_meta(width: int) -> nn.Module:
    with torch.device("meta"):
        return nn.Linear(width, width)


def test_a_model_as_large_as_its_files_fits(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2000, 2000)}, tmp_path / "a.safetensors")
    require_fit(on_meta(2000), weights_files(tmp_path), what="x")
    with pytest.raises(ModelFilesRefused, match=r"x that fit its 4,000,000 stored numbers, received .* 9,003,000"):
        require_fit(on_meta(3000), weights_files(tmp_path), what="x")


def test_parts_are_counted_together(tmp_path: Path) -> None:
    for name in "ab":
        save_file({name: torch.zeros(3000, 1500)}, tmp_path / f"{name}.safetensors")
    require_fit(on_meta(3000), weights_files(tmp_path), what="x")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"PK\x03\x04 a pickle in a zip")
    with pytest.raises(ModelFilesRefused, match=r"Expected a safetensors file at .*a\.safetensors"):
        require_fit(on_meta(1), weights_files(tmp_path), what="x")

"""Settings that ask for more than the stored weights hold are refused before any memory is asked for."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from index_builder.errors import ModelFilesRefused
from index_builder.model_files import weights
from index_builder.model_files.weights import leave_map, read_weights, require_fit, weights_files


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


def test_a_file_that_is_cut_short_while_it_is_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened = tmp_path / "a.safetensors", weights.safe_open
    save_file({"a": torch.ones(3), "b": torch.zeros(100_000)}, path)
    assert torch.equal(read_weights(path)["a"], torch.ones(3))

    def cut(path: Path, **settings: str) -> object:
        file = opened(path, **settings)
        os.truncate(path, 1000)
        return file

    monkeypatch.setattr(weights, "safe_open", cut)
    with pytest.raises(
        ModelFilesRefused, match=r"Expected a safetensors file at .*a\.safetensors, found another kind or a"
    ):
        read_weights(path)


def test_a_model_leaves_the_map(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2000, 2000), "bias": torch.ones(2000)}, tmp_path / "a.safetensors")
    model = nn.Linear(2000, 2000)
    model.load_state_dict(load_file(tmp_path / "a.safetensors"), assign=True)
    leave_map(model)
    assert str(tmp_path) not in Path("/proc/self/maps").read_text() and bool((model.weight == 1).all())

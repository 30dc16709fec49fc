"""A pack that is cut short after it was opened: its weights lie in memory of their own, not in maps of its files."""

import os
from pathlib import Path

import torch

from motionrag_nodes.checkpoints.pack import load_pack


def cut(folder: Path) -> None:
    """Every weights file of a folder; what lay in a map of it would now end the process (SIGBUS)."""
    assert str(folder) not in Path("/proc/self/maps").read_text()
    for path in folder.rglob("*.safetensors"):
        os.truncate(path, 8)


def total(*modules: torch.nn.Module) -> float:
    return sum(float(value.double().sum()) for module in modules for value in module.state_dict().values())


def test_a_pack_that_is_cut_short_goes_on(tmp_path: Path, write_tiny_pack) -> None:
    pack = load_pack(write_tiny_pack(tmp_path / "pack"))
    modules = (pack.motion_resampler, pack.context_transformer, pack.adapter)
    before = total(*modules)
    cut(pack.folder)
    assert total(*modules) == before


def test_so_do_its_encoders(tiny_pack) -> None:
    modules = [getattr(tiny_pack, f"{role}_encoder").model for role in ("motion", "appearance", "retrieval")]
    before = total(*modules)
    cut(tiny_pack.folder)
    assert total(*modules) == before

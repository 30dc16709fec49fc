"""What was once released stays: saved workflows hold node ids, the order of inputs and outputs, and their types.

`released_nodes.json` lists it. A new node or input is appended there; nothing is ever taken out, for a deprecated node
keeps working.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.comfyui.conftest import RunningComfyUI

pytestmark = pytest.mark.comfyui

RELEASED: dict[str, Any] = json.loads(Path(__file__).with_name("released_nodes.json").read_text(encoding="utf-8"))
_WIDGET_TYPES = {"STRING", "INT", "FLOAT", "BOOLEAN", "COMBO"}


def _inputs(node: dict[str, Any]) -> dict[str, str]:
    """Name -> type, in the order in which the editor shows and saves them."""
    specs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
    ordered = [name for section in ("required", "optional") for name in node["input_order"].get(section, [])]
    return {name: specs[name][0] if isinstance(specs[name][0], str) else "COMBO" for name in ordered}


def _outputs(node: dict[str, Any]) -> list[list[str]]:
    return [list(output) for output in zip(node["output_name"], node["output"], strict=True)]


def _widgets(inputs: dict[str, str]) -> list[str]:
    """A saved workflow keeps their values by position."""
    return [name for name, kind in inputs.items() if kind in _WIDGET_TYPES]


@pytest.mark.parametrize("node_id", RELEASED)
def test_a_released_node_keeps_its_inputs_and_outputs(comfyui: RunningComfyUI, node_id: str) -> None:
    node, released = comfyui.object_info[node_id], RELEASED[node_id]
    inputs = _inputs(node)
    assert {name: inputs.get(name) for name in released["inputs"]} == released["inputs"]
    assert _widgets(inputs)[: len(_widgets(released["inputs"]))] == _widgets(released["inputs"])
    assert _outputs(node)[: len(released["outputs"])] == released["outputs"]
    required = set(node["input_order"].get("required", []))
    added = required - set(released["inputs"])
    assert {name for name in added if inputs[name] not in _WIDGET_TYPES} == set(), "an old workflow has no link for it"


def test_every_node_is_listed(comfyui: RunningComfyUI) -> None:
    now = {
        name: {"inputs": _inputs(node), "outputs": _outputs(node)}
        for name, node in comfyui.object_info.items()
        if name.startswith("MotionRAG")
    }
    missing = {name: node for name, node in now.items() if node != RELEASED.get(name)}
    assert not missing, f"append to released_nodes.json: {json.dumps(missing)}"

"""Node ids are frozen once released: each on the list is still defined, read from the source without ComfyUI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
RELEASED = json.loads((CHECKOUT / "tests" / "comfyui" / "released_nodes.json").read_text(encoding="utf-8"))
SOURCE = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "motionrag_nodes" / "nodes").glob("*.py"))


@pytest.mark.parametrize("node_id", RELEASED)
def test_a_released_node_is_still_defined_and_listed_by_the_extension(node_id: str) -> None:
    assert f'node_id="{node_id}"' in SOURCE
    class_name = node_id.removeprefix("MotionRAG")
    listed = (CHECKOUT / "motionrag_nodes" / "nodes" / "extension.py").read_text(encoding="utf-8")
    assert f"            {class_name}," in listed


@pytest.mark.parametrize("folder", ["workflows", "subgraphs"])
def test_what_is_saved_uses_released_nodes_alone(folder: str) -> None:
    for path in sorted((CHECKOUT / folder).glob("*.json")):
        saved = json.loads(path.read_text(encoding="utf-8"))
        graphs = [saved, *saved.get("definitions", {}).get("subgraphs", [])]
        used = {node["type"] for graph in graphs for node in graph["nodes"]}
        assert {kind for kind in used if kind.startswith("MotionRAG")} <= set(RELEASED), path.name

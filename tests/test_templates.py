"""Templates open tidily: each node lies in one group and on no other, with room for what it shows after a run."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

WORKFLOWS = sorted((Path(__file__).resolve().parents[1] / "workflows").glob("*.json"))
TITLE = 30  # of a node, above its position


def _box(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x, y, x + width, y + height


def _node_box(node: dict[str, Any]) -> tuple[float, float, float, float]:
    (x, y), (width, height) = node["pos"], node["size"]
    return _box(x, y - TITLE, width, height + TITLE)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nodes_lie_in_groups_and_on_no_other(path: Path) -> None:
    workflow = json.loads(path.read_text(encoding="utf-8"))
    groups = [_box(*group["bounding"]) for group in workflow["groups"]]
    boxes = {f"{node['type']} {node['id']}": _node_box(node) for node in workflow["nodes"]}
    for name, (left, top, right, bottom) in boxes.items():
        inside = [group for group in groups if group[0] <= left and group[1] <= top and group[2] >= right]
        assert any(group[3] >= bottom for group in inside), f"{name} lies in no group"
    for (one, first), (other, second) in combinations(boxes.items(), 2):
        apart = first[2] <= second[0] or second[2] <= first[0] or first[3] <= second[1] or second[3] <= first[1]
        assert apart, f"{one} and {other} overlap"

"""Nodes stay thin, named after their stage, and documented; read from the source, so that no ComfyUI is needed."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
NODES = CHECKOUT / "motionrag_nodes" / "nodes"
MAX_STATEMENTS = 15


def _node_classes() -> dict[str, tuple[Path, ast.ClassDef]]:
    found = {}
    for path in sorted(NODES.glob("*.py")):
        for item in ast.parse(path.read_text()).body:
            if isinstance(item, ast.ClassDef) and any(ast.unparse(base) == "io.ComfyNode" for base in item.bases):
                found[f"MotionRAG{item.name}"] = (path, item)
    return found


CLASSES = _node_classes()


def test_there_are_nodes() -> None:
    assert len(CLASSES) >= 9


@pytest.mark.parametrize("node_id", CLASSES)
def test_id_help_page_and_english_texts(node_id: str) -> None:
    path, _ = CLASSES[node_id]
    assert f'node_id="{node_id}"' in path.read_text()
    assert (CHECKOUT / "motionrag_nodes" / "web" / "docs" / f"{node_id}.md").is_file()
    assert node_id in json.loads((CHECKOUT / "locales" / "en" / "nodeDefs.json").read_text())


@pytest.mark.parametrize("node_id", CLASSES)
def test_execute_is_a_few_statements(node_id: str) -> None:
    _, node = CLASSES[node_id]
    execute = next(item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "execute")
    statements = [item for item in ast.walk(execute) if isinstance(item, ast.stmt) and item is not execute]
    assert len(statements) <= MAX_STATEMENTS


def test_a_workflow_s_own_nodes_all_exist() -> None:
    for path in sorted((CHECKOUT / "workflows").glob("*.json")):
        used = {node["type"] for node in json.loads(path.read_text())["nodes"]}
        assert {kind for kind in used if kind.startswith("MotionRAG")} <= set(CLASSES)

"""Names of nodes inside subgraphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from motionrag_nodes.batch_render.errors import NodeValueError
from motionrag_nodes.batch_render.jobs.node_paths import inner_names
from motionrag_nodes.batch_render.jobs.node_values import find_targets
from motionrag_nodes.batch_render.workflow_file import WorkflowFile
from tests.motionrag_nodes.batch_render.graphs import object_info, ui_node


def _nested() -> dict[str, Any]:
    """Two uses of one subgraph with a prompt, and a subgraph inside it with another."""
    inner = {"id": "inner-id", "name": "Inner", "nodes": [ui_node(5, "CLIPTextEncode", title="Prompt")]}
    outer_nodes = [ui_node(1, "CLIPTextEncode", title="Prompt"), ui_node(2, "inner-id")]
    outer = {"id": "outer-id", "name": "Outer", "nodes": outer_nodes}
    uses = [ui_node(3, "outer-id", title="Day"), ui_node(4, "outer-id", title="Night")]
    return {"nodes": uses, "links": [], "definitions": {"subgraphs": [inner, outer]}}


def _targets(*written: str) -> dict[str, tuple[str, str]]:
    names = inner_names(WorkflowFile(path=Path("w.json"), data=_nested(), ui_form=True))
    graph = {i: {"class_type": "CLIPTextEncode", "inputs": {"text": ""}, "_meta": {"title": "Prompt"}} for i in names}
    return find_targets(written, graph, object_info=object_info(), inner_names=names)


@pytest.mark.parametrize(
    ("written", "node_id"),
    [
        ("3:1.text", "3:1"),
        ("Day/Prompt.text", "3:1"),
        ("Night/Prompt.text", "4:1"),
        ("Night/Inner/Prompt.text", "4:2:5"),
        ("3/2/5.text", "3:2:5"),
        ("Day/Inner/CLIPTextEncode.text", "3:2:5"),
    ],
)
def test_paths(written: str, node_id: str) -> None:
    assert _targets(written) == {written: (node_id, "text")}


def test_a_path_that_means_several_is_refused() -> None:
    with pytest.raises(NodeValueError, match=r"'Outer/Prompt' is the path of several \(3:1, 4:1\)"):
        _targets("Outer/Prompt.text")


def test_a_subgraph_inside_itself_ends() -> None:
    data = {
        "nodes": [ui_node(1, "loop")],
        "definitions": {"subgraphs": [{"id": "loop", "nodes": [ui_node(2, "loop")]}]},
    }
    assert set(inner_names(WorkflowFile(path=Path("w.json"), data=data, ui_form=True))) == {"1:2"}


def test_nodes_with_the_same_id_go_by_the_ids_of_the_prompt() -> None:
    data = _nested()
    data["last_node_id"] = 9
    data["definitions"]["subgraphs"][0]["nodes"][0]["id"] = 1
    names = inner_names(WorkflowFile(path=Path("w.json"), data=data, ui_form=True))
    assert set(names) == {"3:10", "3:2", "3:2:1", "4:10", "4:2", "4:2:1"}

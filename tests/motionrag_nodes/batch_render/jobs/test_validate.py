"""What a server cannot run, said before the first job."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from motionrag_nodes.batch_render.jobs.validate import (
    dangling_links,
    output_nodes,
    packs_of,
    problems,
    saving_nodes,
    server_files,
)
from motionrag_nodes.batch_render.workflow_file import ApiGraph, WorkflowFile
from tests.motionrag_nodes.batch_render.graphs import object_info, ui_node

GRAPH: ApiGraph = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}, "_meta": {"title": "Picture"}},
    "2": {"class_type": "ImageScale", "inputs": {"image": ["1", 0], "upscale_method": "area", "width": 8, "height": 8,
                                                 "crop": "disabled"}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    "4": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
}  # fmt: skip


def _changed(node: str, **inputs: Any) -> ApiGraph:
    graph = copy.deepcopy(GRAPH)
    graph[node]["inputs"].update(inputs)
    return graph


def test_a_good_graph() -> None:
    assert problems(GRAPH, object_info()) == []
    assert output_nodes(GRAPH, object_info()) == ("3", "4")
    assert saving_nodes(GRAPH, object_info()) == ("3",)
    assert list(server_files(GRAPH, object_info(), ())) == [("1", "image")]


@pytest.mark.parametrize(
    ("graph", "kind", "text"),
    [
        (_changed("2", upscale_method="magic"), "value", "upscale_method is 'magic', which the server does not have"),
        (_changed("2", width=100000), "value", "width is 100000: expected 0 to 16384"),
        (_changed("2", image=["9", 0]), "connection", "'image' leads to no node"),
        ({k: v for k, v in GRAPH.items() if k in "12"}, "output", "no node saves or shows anything"),
        ({**GRAPH, "5": {"class_type": "Nowhere", "inputs": {}}}, "node", "the server has no node Nowhere"),
        (
            {**GRAPH, "4": {"class_type": "PreviewImage", "inputs": {}}},
            "input",
            "'images' has no value and no connection",
        ),
    ],
)
def test_each_problem_names_its_node(graph: ApiGraph, kind: str, text: str) -> None:
    (problem,) = problems(graph, object_info())
    assert problem.kind == kind
    assert text in str(problem)


def test_missing_models_and_databases_are_told_apart() -> None:
    info = object_info()
    loader = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "none.safetensors"}}
    (problem,) = problems({**GRAPH, "5": loader}, info)
    assert problem.kind == "model"
    info["Load"] = {"input": {"required": {"database": [["winter"], {}]}}, "output_node": False}
    (problem,) = problems({**GRAPH, "5": {"class_type": "Load", "inputs": {"database": "summer"}}}, info)
    assert "no motion database 'summer'; the server has winter. Name the folder that holds it" in str(problem)


def test_connections_of_an_export_to_nowhere() -> None:
    workflow = WorkflowFile(path=Path("w.json"), data=_changed("2", image=["9", 0]), ui_form=False)
    (problem,) = dangling_links(workflow)
    assert "'image' comes from node 9, which is not there" in str(problem)
    assert dangling_links(WorkflowFile(path=Path("w.json"), data=GRAPH, ui_form=False)) == []


def test_the_pack_of_a_node_is_what_the_editor_noted() -> None:
    inner = ui_node(1, "Deep", properties={"aux_id": "someone/pack"})
    data = {
        "nodes": [ui_node(1, "Known", properties={"cnr_id": "a-pack"}), ui_node(2, "Plain")],
        "links": [],
        "definitions": {"subgraphs": [{"id": "s", "nodes": [inner]}]},
    }
    found = packs_of(WorkflowFile(path=Path("w.json"), data=data, ui_form=True))
    assert found == {"Known": "a-pack", "Deep": "someone/pack"}

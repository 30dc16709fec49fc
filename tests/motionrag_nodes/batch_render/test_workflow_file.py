"""Reading and converting saved workflows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from motionrag_nodes.batch_render.errors import WorkflowFileError
from motionrag_nodes.batch_render.workflow_file import ApiGraph, read_workflow, to_api_graph
from tests.motionrag_nodes.batch_render.graphs import (
    object_info,
    picture_to_picture,
    text_to_image,
    ui_node,
    write_workflow,
)


def _converted(folder: Path, data: dict[str, Any]) -> ApiGraph:
    return to_api_graph(read_workflow(write_workflow(folder / "w.json", data)), object_info())


def _node(data: dict[str, Any], node_id: int) -> dict[str, Any]:
    return next(node for node in data["nodes"] if node["id"] == node_id)


def test_widgets_links_reroutes_and_titles(tmp_path: Path) -> None:
    graph = _converted(tmp_path, text_to_image())
    assert set(graph) == {"3", "4", "5", "6", "7", "8", "9"}
    assert graph["3"]["inputs"] == {
        "seed": 7,
        "steps": 4,
        "cfg": 6.5,
        "sampler_name": "euler",
        "scheduler": "karras",
        "denoise": 0.9,
        "model": ["4", 0],
        "positive": ["6", 0],
        "negative": ["7", 0],
        "latent_image": ["5", 0],
    }
    assert graph["8"]["inputs"]["vae"] == ["4", 2]
    assert graph["6"]["_meta"]["title"] == "Positive"
    assert graph["9"]["_meta"]["title"] == "Save Image"


def test_a_saved_choice_that_the_server_lacks_is_kept_for_the_server_to_refuse(tmp_path: Path) -> None:
    data = text_to_image()
    _node(data, 4)["widgets_values"] = ["gone.safetensors"]
    _node(data, 3)["widgets_values"][5] = "unheard_of_scheduler"
    graph = _converted(tmp_path, data)
    assert graph["4"]["inputs"]["ckpt_name"] == "gone.safetensors"
    assert graph["3"]["inputs"]["scheduler"] == "unheard_of_scheduler"
    assert graph["3"]["inputs"]["seed"] == 7


def test_muted_nodes_vanish_with_the_links_from_them(tmp_path: Path) -> None:
    data = text_to_image()
    _node(data, 7)["mode"] = 2
    graph = _converted(tmp_path, data)
    assert "7" not in graph
    assert "negative" not in graph["3"]["inputs"]


def test_bypassed_nodes_pass_their_input_on(tmp_path: Path) -> None:
    data = picture_to_picture()
    _node(data, 2)["mode"] = 4
    graph = _converted(tmp_path, data)
    assert graph["3"]["inputs"]["images"] == ["1", 0]


def test_values_saved_by_name_are_read_by_name(tmp_path: Path) -> None:
    data = text_to_image()
    _node(data, 5)["widgets_values"] = {"height": 16, "width": 48, "batch_size": 2, "editor_only": True}
    graph = _converted(tmp_path, data)
    assert graph["5"]["inputs"] == {"width": 48, "height": 16, "batch_size": 2}


def test_a_primitive_gives_its_value(tmp_path: Path) -> None:
    data = text_to_image()
    data["nodes"].append(ui_node(12, "PrimitiveNode", outputs=["INT"], widgets=[99, "fixed"]))
    data["links"].append([11, 12, 0, 3, 4, "INT"])
    _node(data, 3)["inputs"].append({"name": "seed", "type": "INT", "link": 11, "widget": {"name": "seed"}})
    assert _converted(tmp_path, data)["3"]["inputs"]["seed"] == 99


def test_api_form_is_taken_as_it_is_and_not_changed(tmp_path: Path) -> None:
    data = {"5": {"class_type": "EmptyLatentImage", "inputs": {"width": 8, "height": 8, "batch_size": 1}}}
    workflow = read_workflow(write_workflow(tmp_path / "w.json", data))
    before = copy.deepcopy(workflow.data)
    graph = to_api_graph(workflow, object_info())
    assert graph == data
    graph["5"]["inputs"]["width"] = 1
    assert workflow.data == before


def test_conversion_does_not_change_what_the_server_offers(tmp_path: Path) -> None:
    data = text_to_image()
    _node(data, 4)["widgets_values"] = ["gone.safetensors"]
    info = object_info()
    to_api_graph(read_workflow(write_workflow(tmp_path / "w.json", data)), info)
    assert info == object_info()


@pytest.mark.parametrize("form", ["editor", "api"])
def test_missing_nodes_are_all_listed(tmp_path: Path, form: str) -> None:
    data: dict[str, Any] = text_to_image()
    data["nodes"] += [ui_node(20, "Zebra"), ui_node(21, "Aardvark")]
    if form == "api":
        data = {"1": {"class_type": "Zebra", "inputs": {}}, "2": {"class_type": "Aardvark", "inputs": {}}}
    with pytest.raises(WorkflowFileError, match="lacks Aardvark, Zebra"):
        _converted(tmp_path, data)


def test_all_muted_is_an_error(tmp_path: Path) -> None:
    data = picture_to_picture()
    for node in data["nodes"]:
        node["mode"] = 2
    with pytest.raises(WorkflowFileError, match="Expected an active node"):
        _converted(tmp_path, data)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(WorkflowFileError, match=r"Expected a workflow at .*nowhere\.json, but .*No such file"):
        read_workflow(tmp_path / "nowhere.json")
    (tmp_path / "text.json").write_text("hello")
    with pytest.raises(WorkflowFileError, match="Expected a workflow in JSON"):
        read_workflow(tmp_path / "text.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WorkflowFileError, match="Expected a workflow in JSON"):
        read_workflow(tmp_path / "binary.json")
    with pytest.raises(WorkflowFileError, match=r"Expected a saved workflow .* received neither"):
        read_workflow(write_workflow(tmp_path / "other.json", {"hello": "world"}))


def test_requests_to_the_server_are_read_as_well(tmp_path: Path) -> None:
    nodes = {
        "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 8}},
        "2": {"class_type": "VAEDecode", "inputs": {"samples": [1, 0], "vae": [7, 0]}},
    }
    expected = copy.deepcopy(nodes)
    expected["2"]["inputs"]["samples"] = ["1", 0]
    for data in (nodes, {**nodes, "extra_data": {}}, {"prompt": nodes, "client_id": "x"}):
        workflow = read_workflow(write_workflow(tmp_path / "w.json", data))
        assert not workflow.ui_form
        assert workflow.data == expected


def test_byte_order_marks_and_numbers_that_json_lacks(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text('\ufeff{"nodes": [], "extra": {"scale": NaN}}', encoding="utf-8")
    workflow = read_workflow(path)
    assert workflow.ui_form
    assert workflow.data["extra"] == {"scale": None}


def test_a_file_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 200_000)
    with pytest.raises(WorkflowFileError, match="Expected a workflow in JSON"):
        read_workflow(tmp_path / "deep.json")

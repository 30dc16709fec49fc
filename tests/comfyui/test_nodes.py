"""What ComfyUI says of the nodes: all there, explained, and refusing bad input in readable words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from motionrag_nodes.batch_render.server.install import checkout_folder
from tests.comfyui.conftest import DATABASE_NAME, PACKAGED_DATABASE, RunningComfyUI

pytestmark = pytest.mark.comfyui

Graph = dict[str, dict[str, Any]]


def _own(comfyui: RunningComfyUI) -> dict[str, Any]:
    return {name: node for name, node in comfyui.object_info.items() if name.startswith("MotionRAG")}


def _refusal(comfyui: RunningComfyUI, graph: Graph) -> str:
    status, answer = comfyui.post("/prompt", {"prompt": graph})
    assert status == 400
    return json.dumps(answer, ensure_ascii=False)


def test_every_node_input_and_output_is_explained(comfyui: RunningComfyUI) -> None:
    for name, node in _own(comfyui).items():
        assert node["description"], name
        assert node["category"] == "MotionRAG"
        assert node["display_name"] != name
        inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
        assert all(spec[1].get("tooltip") for spec in inputs.values()), name
        assert all(node["output_tooltips"]), name
        assert all(output.islower() for output in node["output_name"]), name


def test_workflows_are_offered_as_templates(comfyui: RunningComfyUI) -> None:
    offered = comfyui.get("/workflow_templates")["motionrag"]
    assert set(offered) == {path.stem for path in (checkout_folder() / "workflows").glob("*.json")}


def test_a_missing_database_says_what_there_is_where_it_looked_and_how_to_make_one(
    comfyui: RunningComfyUI, api_graph: Callable[[str], Graph]
) -> None:
    graph = api_graph("image_to_video_with_motion")
    graph["3"]["inputs"]["database"] = "winter-sports"
    answer = _refusal(comfyui, graph)
    assert "Expected the motion database 'winter-sports'" in answer and f"found {DATABASE_NAME}" in answer
    assert "models/motion_databases" in answer
    assert "motionrag index build" in answer


@pytest.mark.parametrize(
    ("node", "name", "value", "message"),
    [
        ("2", "pack", "huge", "Expected the motion pack 'huge'"),
        ("2", "pack", "../packs/tiny", "Expected the motion pack '../packs/tiny'"),
        ("3", "database", "/etc", "Expected the motion database '/etc'"),
        ("4", "mode", "smell", "mode is 'smell'; choose one of: prompt, image, prompt, then image"),
        ("4", "top_k", 0, "smaller than min of 1"),
        ("5", "fusion", "none", "fusion is 'none'; choose one of: context transformer, mean, top-1"),
        ("6", "model", "wan", "Expected the video model 'wan'"),
        ("6", "precision", "int4", "precision is 'int4'"),
        ("7", "strength", 9.0, "bigger than max of 3.0"),
    ],
)
def test_bad_choices_are_refused_in_words(
    comfyui: RunningComfyUI, api_graph: Callable[[str], Graph], node: str, name: str, value: Any, message: str
) -> None:
    graph = api_graph("image_to_video_with_motion")
    graph[node]["inputs"][name] = value
    assert message in _refusal(comfyui, graph)


def test_a_missing_reference_video(comfyui: RunningComfyUI, api_graph: Callable[[str], Graph]) -> None:
    graph = api_graph("reference_videos_to_video")
    graph["3"]["inputs"]["videos"] = "../secret.mp4"
    assert "Expected the reference video '../secret.mp4'" in _refusal(comfyui, graph)


def test_databases_below_the_model_folder_are_found_without_a_restart(comfyui: RunningComfyUI) -> None:
    target = comfyui.server.base / "models" / "motion_databases" / "sports" / "winter"
    shutil.copytree(comfyui.databases / DATABASE_NAME, target)
    try:
        node = comfyui.get("/object_info/MotionRAGLoadMotionDatabase")["MotionRAGLoadMotionDatabase"]
        assert node["input"]["required"]["database"][1]["options"] == [
            DATABASE_NAME,
            "sports/winter",
            PACKAGED_DATABASE,
        ]
    finally:
        shutil.rmtree(target.parent)

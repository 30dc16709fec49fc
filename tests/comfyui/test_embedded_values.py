"""A row's values in the pictures and videos that the real ComfyUI saves: in their prompt and in their workflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from motionrag_nodes.batch_render.workflow_file import WorkflowFile, to_api_graph
from tests.comfyui.conftest import RunningComfyUI
from tests.motionrag_nodes.batch_render.graphs import ui_node
from tests.motionrag_nodes.batch_render.rendering import render_on

pytestmark = pytest.mark.comfyui


def _workflow() -> dict[str, Any]:
    links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 1, 0, 3, 0, "IMAGE"], [3, 3, 0, 4, 0, "VIDEO"]]
    nodes = [
        ui_node(1, "EmptyImage", outputs=["IMAGE"], widgets=[32, 32, 8, 255]),
        ui_node(2, "SaveImage", inputs=[("images", "IMAGE", 1)], widgets=["still"]),
        ui_node(3, "CreateVideo", inputs=[("images", "IMAGE", 2)], outputs=["VIDEO"], widgets=[8]),
        ui_node(4, "SaveVideo", inputs=[("video", "VIDEO", 3)], widgets=["moving", "auto", "auto"]),
    ]
    nodes[0]["outputs"][0]["links"], nodes[2]["outputs"][0]["links"] = [1, 2], [3]
    return {"nodes": nodes, "links": links, "last_node_id": 4, "last_link_id": 3, "version": 0.4}


def _carried(path: Path) -> dict[str, Any]:
    """The texts in a file's metadata."""
    if path.suffix == ".png":
        with Image.open(path) as picture:
            return {key: json.loads(picture.info[key]) for key in ("prompt", "workflow")}
    with av.open(str(path)) as container:
        return {key: json.loads(container.metadata[key]) for key in ("prompt", "workflow")}


def test_prompt_and_workflow_carry_the_rows_values(comfyui: RunningComfyUI, tmp_path: Path) -> None:
    file, table = tmp_path / "both.json", tmp_path / "jobs.csv"
    file.write_text(json.dumps(_workflow()))
    table.write_text("name,EmptyImage.color,CreateVideo.fps\nred,16711680,4\n")
    report = render_on(comfyui.url, file, tmp_path / "out", table=table, assignments=["EmptyImage.width=48"])
    assert not report.failed
    files = {Path(output.file).suffix: tmp_path / "out" / output.file for output in report.records[0].outputs}
    assert set(files) >= {".png", ".mp4"}
    for suffix in (".png", ".mp4"):
        carried = _carried(files[suffix])
        assert carried["prompt"]["1"]["inputs"] == {"width": 48, "height": 32, "batch_size": 8, "color": 16711680}
        values = {node["type"]: node["widgets_values"] for node in carried["workflow"]["nodes"]}
        assert values["EmptyImage"] == [48, 32, 8, 16711680]
        assert values["CreateVideo"][:1] == [4]  # in 0.33 a bit depth follows
        again = to_api_graph(WorkflowFile(file, carried["workflow"], ui_form=True), comfyui.object_info)
        assert {i: node["inputs"] for i, node in again.items()} == {
            i: node["inputs"] for i, node in carried["prompt"].items()
        }

"""Compare Motions in the real ComfyUI: the template, a grid for core nodes, readable refusals."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.comfyui.conftest import DATABASE_NAME, RunningComfyUI
from tests.comfyui.runs import Graph, queue

pytestmark = pytest.mark.comfyui


@pytest.fixture
def graph(comfyui: RunningComfyUI, api_graph: Callable[[str], Graph], picture) -> Graph:
    (comfyui.server.base / "input" / picture.name).write_bytes(picture.read_bytes())
    graph = api_graph("compare_motions")
    graph["1"]["inputs"]["image"] = picture.name
    graph["3"]["inputs"]["database"] = DATABASE_NAME
    graph["6"]["inputs"] |= {"steps": 1, "strengths": "0, 1"}
    return graph


def test_the_grid_with_the_clips_played_backwards(comfyui: RunningComfyUI, graph: Graph) -> None:
    graph["6"]["inputs"]["backwards"] = True
    reported = queue(comfyui, graph)
    assert reported.run is not None, reported.failure
    lines = reported.shown("6")["text"][0].splitlines()
    titles = ["no motion", "as found × 0", "as found × 1", "played backwards", "what if"]
    assert [line.split(":")[0] for line in lines] == titles
    assert "0.0 of 255" in lines[1] and "0.0 of 255" not in lines[2]
    assert any(file.node_id == "7" and file.filename.endswith(".mp4") for file in reported.run.files)


def test_strengths_are_refused_before_anything_runs(comfyui: RunningComfyUI, graph: Graph) -> None:
    graph["6"]["inputs"]["strengths"] = "lots"
    status, answer = comfyui.post("/prompt", {"prompt": graph})
    assert status == 400 and "Expected strengths from 0 to 3 between commas" in json.dumps(answer)

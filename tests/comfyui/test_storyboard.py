"""Storyboard Video in the real ComfyUI: its template as one video, readable refusals."""

from __future__ import annotations

import json
from collections.abc import Callable

import av
import pytest

from tests.comfyui.conftest import DATABASE_NAME, RunningComfyUI
from tests.comfyui.runs import Graph, queue

pytestmark = pytest.mark.comfyui


@pytest.fixture
def graph(comfyui: RunningComfyUI, api_graph: Callable[[str], Graph], picture) -> Graph:
    (comfyui.server.base / "input" / picture.name).write_bytes(picture.read_bytes())
    graph = api_graph("storyboard")
    graph["1"]["inputs"]["image"] = picture.name
    graph["3"]["inputs"]["database"] = DATABASE_NAME
    graph["4"]["inputs"] |= {"steps": 1, "storyboard": "1: a square moves right\n1: a square moves down"}
    return graph


def test_two_parts_are_one_video(comfyui: RunningComfyUI, graph: Graph) -> None:
    reported = queue(comfyui, graph)
    assert reported.run is not None, reported.failure
    first, second = reported.shown("4")["text"][0].splitlines()
    assert first.startswith("0.00 s: a square moves right (#1: ") and "seam" not in first
    assert second.startswith("1.00 s: a square moves down (#1: ") and " of 255, within " in second
    video = next(file for file in reported.run.files if file.node_id == "5")
    with av.open(str(comfyui.server.base / "output" / video.subfolder / video.filename)) as container:
        stream = container.streams.video[0]
        assert (sum(1 for _ in container.decode(stream)), stream.average_rate) == (8, 4)
    assert any(file.node_id == "4" and file.filename.endswith(".png") for file in reported.run.files)


def test_a_wrong_line_is_refused_before_anything_runs(comfyui: RunningComfyUI, graph: Graph) -> None:
    graph["4"]["inputs"]["storyboard"] = "1: it rolls\nit stops"
    status, answer = comfyui.post("/prompt", {"prompt": graph})
    assert status == 400 and "received 'it stops' in line 2" in json.dumps(answer)

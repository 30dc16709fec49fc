"""Motion in ComfyUI's own SVD in the real ComfyUI, with the tiny pack: KSampler, VAE Decode, Save Video."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.comfyui.conftest import RunningComfyUI
from tests.comfyui.runs import Graph, frames_before_encoding, queue

pytestmark = pytest.mark.comfyui
IMAGE, PACK, DATABASE, RETRIEVE, ADAPT, LOAD_MODEL, APPLY = (str(number) for number in range(1, 8))
CONDITION, GUIDANCE, SAMPLE, DECODE, FIND = "8", "9", "10", "11", "20"


@pytest.fixture
def graph(api_graph: Callable[[str], Graph], comfyui: RunningComfyUI, picture: Path) -> Graph:
    graph = api_graph("native_svd_with_motion")
    (comfyui.server.base / "input" / picture.name).write_bytes(picture.read_bytes())
    graph[IMAGE]["inputs"]["image"] = picture.name
    graph[SAMPLE]["inputs"]["steps"] = 3
    return graph


def changed(graph: Graph, node: str, **inputs: Any) -> Graph:
    graph = copy.deepcopy(graph)
    graph[node]["inputs"].update(inputs)
    return graph


def without_motion(graph: Graph) -> Graph:
    graph = changed(graph, GUIDANCE, model=[LOAD_MODEL, 0])
    del graph[APPLY]
    return graph


def frames(comfyui: RunningComfyUI, graph: Graph) -> np.ndarray:
    """uint8 [T, H, W, 3] of what is decoded."""
    return frames_before_encoding(comfyui, graph, [DECODE, 0])


def test_the_video_that_is_saved_has_the_frames_and_their_rate(comfyui: RunningComfyUI, graph: Graph) -> None:
    reported = queue(comfyui, graph)
    assert reported.run is not None, f"{reported.failure}\n{comfyui.server.log_tail(40)}"
    (file,) = (file for file in reported.run.files if file.filename.endswith(".mp4"))
    with av.open(str(comfyui.server.base / "output" / file.subfolder / file.filename)) as container:
        assert container.streams.video[0].average_rate == 4
        saved = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    # Measured: 2.1 grey levels, which is what x264 loses.
    assert np.abs(saved.astype(int) - frames(comfyui, graph)).mean() < 4


def test_the_published_workflow_makes_its_video(
    comfyui: RunningComfyUI, graph: Graph, api_graph: Callable[[str], Graph]
) -> None:
    """The small model stands for the published one, at its own size; all else is as it is saved."""
    published = changed(api_graph("native_svd_published"), IMAGE, image=graph[IMAGE]["inputs"]["image"])
    assert published[LOAD_MODEL]["class_type"] == "ImageOnlyCheckpointLoader"
    published |= {node: graph[node] for node in (PACK, DATABASE, LOAD_MODEL)}
    published = changed(published, CONDITION, width=64, height=64)
    made = frames(comfyui, changed(published, SAMPLE, steps=2))
    assert made.shape == (16, 64, 64, 3)
    plain = changed(published, SAMPLE, steps=2)
    plain[APPLY]["inputs"]["strength"] = 0.0
    assert np.abs(made.astype(int) - frames(comfyui, plain)).mean() > 0.1


def test_motion_reaches_the_video_and_strength_zero_is_the_plain_model(comfyui: RunningComfyUI, graph: Graph) -> None:
    moved, plain = frames(comfyui, graph), frames(comfyui, without_motion(graph))
    assert moved.shape == plain.shape == (8, 64, 64, 3)
    assert np.abs(moved.astype(int) - plain).mean() > 1
    np.testing.assert_array_equal(frames(comfyui, changed(graph, APPLY, strength=0.0)), plain)
    np.testing.assert_array_equal(frames(comfyui, changed(graph, APPLY, block_weights="down=0, mid=0, up=0")), plain)
    np.testing.assert_array_equal(frames(comfyui, changed(graph, APPLY, start=0.0, end=0.0)), plain)


def test_two_chained_halves_are_one_whole(comfyui: RunningComfyUI, graph: Graph) -> None:
    halves = changed(graph, APPLY, strength=0.5)
    halves["20"] = copy.deepcopy(halves[APPLY])
    halves["20"]["inputs"]["model"] = [APPLY, 0]
    halves[GUIDANCE]["inputs"]["model"] = ["20", 0]
    difference = frames(comfyui, halves).astype(int) - frames(comfyui, graph)
    assert np.abs(difference).mean() < 0.5


def test_find_motion_stands_for_the_four_nodes_before_apply_motion_too(comfyui: RunningComfyUI, graph: Graph) -> None:
    found = changed(graph, APPLY, motion=[FIND, 0])
    asked = graph[RETRIEVE]["inputs"]
    found[FIND] = {
        "class_type": "MotionRAGFindMotion",
        "inputs": {
            "image": [IMAGE, 0],
            "prompt": asked["prompt"],
            "database": graph[DATABASE]["inputs"]["database"],
            "pack": graph[PACK]["inputs"]["pack"],
            "clips": asked["top_k"],
            "exclude": "",
        },
    }
    for node in (DATABASE, RETRIEVE, ADAPT):
        del found[node]
    np.testing.assert_array_equal(frames(comfyui, found), frames(comfyui, graph))


def test_other_samplers_tiled_decoding_and_a_part_of_the_steps(comfyui: RunningComfyUI, graph: Graph) -> None:
    other = changed(graph, SAMPLE, sampler_name="dpmpp_2m", scheduler="exponential")
    other = changed(other, APPLY, start=0.34, end=1.0, unconditional="same")
    tiled = {"tile_size": 64, "overlap": 0, "temporal_size": 64, "temporal_overlap": 8}
    other[DECODE] = {"class_type": "VAEDecodeTiled", "inputs": {**other[DECODE]["inputs"], **tiled}}
    assert frames(comfyui, other).shape == (8, 64, 64, 3)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"strength": 9.0}, "bigger than max of 3.0"),
        ({"unconditional": "none"}, "unconditional is 'none'; choose one of: zero clip, same"),
    ],
)
def test_bad_choices_are_refused(comfyui: RunningComfyUI, graph: Graph, inputs: dict[str, Any], message: str) -> None:
    status, answer = comfyui.post("/prompt", {"prompt": changed(graph, APPLY, **inputs)})
    assert status == 400
    assert message in str(answer)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"block_weights": "left=1"}, "there is no block 'left'"),
        ({"start": 0.8, "end": 0.2}, "Expected 0 <= start <= end <= 1"),
    ],
)
def test_what_only_the_run_can_tell_reaches_the_user(
    comfyui: RunningComfyUI, graph: Graph, inputs: dict[str, Any], message: str
) -> None:
    assert message in queue(comfyui, changed(graph, APPLY, **inputs)).failure

"""The templates with control clips in the real ComfyUI: Wan VACE and Wan Fun Control, to a video, with small weights.

All nodes are the templates' own but the text encoder's, which is large whatever the sizes: a node of the tests stands
for it (see `conftest.py`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from motionrag_nodes.batch_render.server.install import find_comfyui
from tests.comfyui import small_wan
from tests.comfyui.conftest import CONDITIONING, DATABASE_NAME, RunningComfyUI
from tests.comfyui.runs import Graph, frames_before_encoding, queue

pytestmark = pytest.mark.comfyui
SIDE, FRAMES = 32, 9


@pytest.fixture(scope="module")
def weights(comfyui: RunningComfyUI) -> None:
    folders = str(find_comfyui().folder), str(comfyui.server.base / "models")
    subprocess.run([sys.executable, small_wan.__file__, *folders], check=True, capture_output=True)


def small(graph: Graph, picture: str) -> Graph:
    """The graph with the small weights, one step and few pixels, and without encoders of text and of the picture."""
    files = {"UNETLoader": "unet_name", "VAELoader": "vae_name"}
    unet = small_wan.VACE if any(node["class_type"] == "WanVaceToVideo" for node in graph.values()) else small_wan.FUN
    changed = {
        "LoadImage": {"image": picture},
        "MotionRAGLoadMotionPack": {"pack": "tiny"},
        "MotionRAGLoadMotionDatabase": {"database": DATABASE_NAME},
        "MotionRAGRetrieveNeighbours": {"prompt": "a red square moves down"},
        "MotionRAGNeighbourClips": {"frames": FRAMES, "width": SIDE, "height": SIDE},
        "UNETLoader": {files["UNETLoader"]: unet},
        "VAELoader": {files["VAELoader"]: small_wan.VAE},
        "WanVaceToVideo": {"width": SIDE, "height": SIDE, "length": FRAMES},
        "WanFunControlToVideo": {"width": SIDE, "height": SIDE, "length": FRAMES},
        # With a single step uni_pc shows nothing of the model.
        "KSampler": {"steps": 2},
    }
    made: Graph = {}
    for number, node in graph.items():
        kind = node["class_type"]
        if kind in ("CLIPLoader", "CLIPVisionLoader", "CLIPVisionEncode"):
            continue
        inputs = {**node["inputs"], **changed.get(kind, {})}
        inputs.pop("clip_vision_output", None)
        made[number] = {"class_type": kind, "inputs": inputs}
        if kind == "CLIPTextEncode":
            made[number] = {"class_type": CONDITIONING, "inputs": {"seed": int(number)}}
    return made


@pytest.mark.parametrize("template", ["control_clip_wan_vace", "control_clip_wan_fun"])
def test_a_found_clip_controls_the_video(
    comfyui: RunningComfyUI, weights: None, api_graph: Callable[[str], Graph], picture: Path, template: str
) -> None:
    (comfyui.server.base / "input" / picture.name).write_bytes(picture.read_bytes())
    graph = small(api_graph(template), picture.name)
    by_class = {node["class_type"]: number for number, node in graph.items()}
    reported = queue(comfyui, graph)
    assert reported.run is not None, f"{reported.failure}\n{comfyui.server.log_tail(40)}"
    video = next(file for file in reported.run.files if file.filename.endswith(".mp4"))
    with av.open(str(comfyui.server.base / "output" / video.subfolder / video.filename)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (SIDE, SIDE, 16)
        assert sum(1 for _ in container.decode(stream)) == FRAMES
    decoded = [by_class["VAEDecode"], 0]
    moved = frames_before_encoding(comfyui, graph, decoded)
    graph[by_class["MotionRAGMotionWithoutLooks"]]["inputs"]["strength"] = 0.0
    assert not np.array_equal(moved, frames_before_encoding(comfyui, graph, decoded))

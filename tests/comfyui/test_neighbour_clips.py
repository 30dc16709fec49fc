"""Neighbour Clips in the real ComfyUI: clips that core nodes take, one or several, and readable refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from motionrag_nodes.neighbours.clip_format import PRESETS
from tests.comfyui.conftest import DATABASE_NAME, FPS, FRAMES, SIZE, RunningComfyUI
from tests.comfyui.runs import Graph, Reported, frames_before_encoding, queue
from tests.index_builder.sample_videos import write_sounding_video

pytestmark = pytest.mark.comfyui

WAN = next(name for name in PRESETS if name.startswith("Wan 2.1"))
DEFAULTS: dict[str, Any] = {
    "preset": next(iter(PRESETS)),
    **{"rank": 1, "count": 1, "fps": 0.0, "frames": 0, "width": 0, "height": 0},
    **{"fit": "crop", "when_short": "more of the video"},
}


@pytest.fixture
def graph(api_graph: Callable[[str], Graph]) -> Callable[..., Graph]:
    """Retrieval, Neighbour Clips as node "clips", and core nodes that save its video and its frames."""
    saved = api_graph("image_to_video_with_motion")
    kept = {number: node for number, node in saved.items() if number in "234"}
    kept["4"]["inputs"] = {k: v for k, v in kept["4"]["inputs"].items() if k != "image"} | {"mode": "prompt"}
    kept["3"]["inputs"]["database"] = DATABASE_NAME
    kept["4"]["inputs"]["prompt"] = "a red square moves down"

    def build(**chosen: Any) -> Graph:
        return {
            **kept,
            "clips": {
                "class_type": "MotionRAGNeighbourClips",
                "inputs": {**DEFAULTS, **chosen, "neighbours": ["4", 0]},
            },
            "video": {
                "class_type": "SaveVideo",
                "inputs": {"video": ["clips", 1], "filename_prefix": "clip", "format": "mp4", "codec": "h264"},
            },
            "parts": {"class_type": "GetVideoComponents", "inputs": {"video": ["clips", 1]}},
            "said": {"class_type": "PreviewAny", "inputs": {"source": ["clips", 3]}},
        }

    return build


def _videos(comfyui: RunningComfyUI, reported: Reported) -> list[tuple[int, int, int, float]]:
    """(frames, width, height, frames per second) of each saved video."""
    assert reported.run is not None, reported.failure
    found = []
    for file in reported.run.files:
        if file.node_id == "video":
            with av.open(str(comfyui.server.base / "output" / file.subfolder / file.filename)) as container:
                stream = container.streams.video[0]
                frames = sum(1 for _ in container.decode(stream))
                found.append((frames, stream.width, stream.height, float(stream.average_rate or 0)))
    return found


def test_the_best_clip_as_it_is(comfyui: RunningComfyUI, graph: Callable[..., Graph]) -> None:
    reported = queue(comfyui, graph())
    assert _videos(comfyui, reported) == [(FRAMES, SIZE, SIZE, FPS)]
    assert reported.shown("said")["text"] == ["a red square moves down"]
    assert f"{SIZE} x {SIZE}, {FRAMES} frames at {FPS} fps" in reported.shown("clips")["text"][0]
    assert reported.run is not None and any(file.node_id == "clips" for file in reported.run.files)


def test_two_clips_as_the_next_model_wants_them(comfyui: RunningComfyUI, graph: Callable[..., Graph]) -> None:
    reported = queue(comfyui, graph(preset=WAN, count=2, width=96))
    assert _videos(comfyui, reported) == [(81, 96, 96, 16.0)] * 2
    assert len(reported.shown("clips")["text"][0].splitlines()) == 2


def test_sound_goes_on_with_the_clip(comfyui: RunningComfyUI, graph: Callable[..., Graph]) -> None:
    write_sounding_video(comfyui.server.base / "input" / "beep.mp4", seconds=2, loud=(0.5, 1.0), rate=16_000)
    sounding = {name: node for name, node in graph().items() if name in ("clips", "video")}
    references = {"videos": "beep.mp4", "pack": ["pack", 0]}
    sounding |= {
        "pack": {"class_type": "MotionRAGLoadMotionPack", "inputs": {"pack": "tiny"}},
        "references": {"class_type": "MotionRAGEncodeReferenceVideos", "inputs": references},
        "heard": {"class_type": "SaveAudio", "inputs": {"audio": ["clips", 2], "filename_prefix": "heard"}},
    }
    sounding["clips"]["inputs"]["neighbours"] = ["references", 0]
    reported = queue(comfyui, sounding)
    assert reported.run is not None, reported.failure
    assert "with sound" in reported.shown("clips")["text"][0]
    files = {
        file.node_id: comfyui.server.base / "output" / file.subfolder / file.filename for file in reported.run.files
    }
    for node in ("heard", "video"):
        samples = _sound(files[node])
        assert len(samples) / 16_000 == pytest.approx(2, abs=0.1), node
        quarters = [float(np.sqrt(np.square(part).mean())) for part in np.array_split(samples[:32_000], 4)]
        assert quarters[1] > 2 * max(quarters[0], *quarters[2:]), (node, quarters)


def _sound(path: Path) -> np.ndarray:
    """Samples [N] in [-1, 1] at 16 kHz."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
    with av.open(str(path)) as container:
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def test_a_rank_behind_the_last_says_so(comfyui: RunningComfyUI, graph: Callable[..., Graph]) -> None:
    assert "Expected a rank from 1 to 6" in queue(comfyui, graph(rank=9)).failure


def test_an_unknown_preset_is_refused(comfyui: RunningComfyUI, graph: Callable[..., Graph]) -> None:
    status, answer = comfyui.post("/prompt", {"prompt": graph(preset="Sora")})
    assert status == 400 and "preset is 'Sora'; choose one of: any model" in json.dumps(answer)


def test_the_motion_of_a_clip_without_its_looks(comfyui: RunningComfyUI, graph: Callable[..., Graph]) -> None:
    plain = graph()
    plain["alone"] = {
        "class_type": "MotionRAGMotionWithoutLooks",
        "inputs": {"clip": ["clips", 0], "kind": "silhouette", "whose": "all motion", "strength": 1.0, "seed": 0},
    }
    frames = frames_before_encoding(comfyui, plain, ["alone", 0])
    assert frames.shape == (FRAMES, SIZE, SIZE, 3)
    # A red square that goes down: grey, in one place of every frame.
    assert np.ptp(frames, axis=-1).max() == 0 and 0.01 < (frames[8] > 100).mean() < 0.4
    plain["alone"]["inputs"]["kind"] = "depth"
    plain["kept"] = {"class_type": "PreviewImage", "inputs": {"images": ["alone", 0]}}
    # The graph's other outputs can run, so that ComfyUI takes it and names this one's fault.
    _, answer = comfyui.post("/prompt", {"prompt": plain})
    assert "kind is 'depth'; choose one of: silhouette" in json.dumps(answer)

"""A picture that the demo model was not made for: the nodes say so, in themselves and to programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from editor_pictures.editor import Editor
from motionrag_nodes.cli.render_display import NOTICE
from tests.comfyui.conftest import DATABASE_NAME, RunningComfyUI
from tests.comfyui.runs import Graph, frames_before_encoding, queue
from training.demo import PROMPTS

pytestmark = pytest.mark.comfyui
SAYS = "demo model: pack tiny knows only flat sprites, and this picture is unlike them; for photographs use the svd, "


@pytest.fixture(scope="module")
def pictures(comfyui: RunningComfyUI) -> dict[str, np.ndarray]:
    """A photograph and a sprite, in ComfyUI's input folder as NAME.png."""
    made = {"photograph": load_sample_image("flower.jpg")[:400, :400], "sprite": np.asarray(PROMPTS[0].picture())}
    for name, pixels in made.items():
        Image.fromarray(pixels).save(comfyui.server.base / "input" / f"{name}.png")
    return made


def _graph(picture: str) -> Graph:
    find = {"prompt": "", "database": DATABASE_NAME, "pack": "tiny", "clips": 2, "exclude": ""}
    settings: dict[str, Any] = {"seed": 5, "strength": 1.0, "start": 0.0, "end": 1.0, "steps": 1, "frame_count": 2}
    settings |= dict.fromkeys(("fps", "width", "height", "decode_chunk_size"), 0)
    settings |= {"min_guidance": 0.0, "max_guidance": 0.0, "motion_bucket_id": -1, "noise_aug_strength": -1.0}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": f"{picture}.png"}},
        "2": {"class_type": "MotionRAGFindMotion", "inputs": {"image": ["1", 0], **find}},
        "3": {"class_type": "MotionRAGGenerateVideo", "inputs": {"image": ["1", 0], "motion": ["2", 0], **settings}},
        "4": {
            "class_type": "MotionRAGAdaptMotion",
            "inputs": {"pack": ["2", 1], "neighbours": ["2", 2], "image": ["1", 0], "fusion": "mean"},
        },
        "5": {"class_type": "PreviewAny", "inputs": {"source": ["4", 0]}},
    }


def test_every_node_that_gets_a_photograph_says_so_once(comfyui: RunningComfyUI, pictures: dict[str, Any]) -> None:
    graph = _graph("photograph")
    graph["6"] = {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}}
    reported = queue(comfyui, graph)
    for node in ("2", "3", "4"):
        (said,) = reported.shown(node)[NOTICE]
        assert said.startswith(SAYS), node
    events = [data for kind, data in reported.events if kind == "executed" and data.get("display_node") == "2"]
    assert len([data for data in events if NOTICE in data["output"]]) == 1


def test_of_a_sprite_nothing_is_said(comfyui: RunningComfyUI, pictures: dict[str, Any]) -> None:
    graph = _graph("sprite")
    graph["6"] = {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}}
    shown = queue(comfyui, graph).run.shown
    assert [shown[node][NOTICE] for node in ("2", "3", "4")] == [[], [], []]


@pytest.mark.parametrize("name", ["photograph", "sprite"])
def test_the_first_frame_is_the_picture(comfyui: RunningComfyUI, pictures: dict[str, Any], name: str) -> None:
    first, second = frames_before_encoding(comfyui, _graph(name), ["3", 0])
    scaled = np.asarray(Image.fromarray(pictures[name]).resize((64, 64), Image.Resampling.LANCZOS))
    np.testing.assert_allclose(first, scaled, atol=1)
    assert not np.array_equal(first, second)


@pytest.mark.browser
def test_the_notice_is_read_on_the_node_and_goes(
    editor: Editor, looks: str, comfyui: RunningComfyUI, pictures: dict[str, Any], screenshots: Path
) -> None:
    editor.open_template("image_to_video_without_motion")
    editor.set_widget("steps", 2)
    editor.set_widget("seed", 77 if looks == "new" else 78)  # else it is taken from the cache, and nothing is said
    editor.set_widget("image", "photograph.png", node_prefix="LoadImage")
    before = editor.exported()["7"]
    editor.run()
    notice = editor.page.get_by_role("note").filter(has_text="demo model")
    notice.wait_for()
    assert editor.exported()["7"] == before
    editor.fit_view()
    editor.screenshot(screenshots / "notice" / f"{looks}.png")
    box = notice.bounding_box()
    assert box is not None and box["height"] > 20
    editor.set_widget("image", "sprite.png", node_prefix="LoadImage")
    editor.run()
    notice.wait_for(state="detached")

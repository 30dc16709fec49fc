"""The saved workflows in the real editor: each opens without a fault, runs untouched, and plays its video."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from editor_pictures.editor import Editor
from editor_pictures.templates import runnable_templates
from motionrag_nodes.batch_render.server.install import checkout_folder
from tests.comfyui.conftest import RunningComfyUI

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]

TEMPLATES = checkout_folder() / "workflows"
NAMES = [path.stem for path in runnable_templates(TEMPLATES)]
TEXTS = json.loads((checkout_folder() / "locales" / "en" / "main.json").read_text())["motionrag"]["templates"]
RETRIEVE = "MotionRAGRetrieveNeighbours"
INDEXING = "index_my_videos"
# The editor exports the frame in which a node plays a chosen video as if it were an input; the server ignores it.
NOT_INPUTS = {"video-preview"}
_PROGRESS = re.compile(r"\[(\d+)%\]")
Graph = dict[str, dict[str, Any]]


def _comparable(graph: Graph) -> Graph:
    return {
        i: {
            "class_type": node["class_type"],
            "inputs": {k: v for k, v in node["inputs"].items() if k not in NOT_INPUTS},
        }
        for i, node in graph.items()
    }


def test_the_gallery_shows_every_template_with_its_thumbnail(editor: Editor, screenshots: Path) -> None:
    editor.open_gallery()
    editor.screenshot(screenshots / "templates.png")
    cards = editor.page.locator("[data-testid^=template-workflow-]")
    shown = {card.get_attribute("data-testid").removeprefix("template-workflow-"): card for card in cards.all()}
    names = sorted(path.stem for path in TEMPLATES.glob("*.json"))
    assert list(shown) == [*TEXTS, *(name for name in names if name not in TEXTS)]
    for name, card in shown.items():
        card.scroll_into_view_if_needed()  # pictures below are not asked for before
        picture = card.locator("img").first
        picture.wait_for()
        editor.page.wait_for_function("image => image.naturalWidth >= 256", arg=picture.element_handle())
        assert name not in TEXTS or TEXTS[name]["title"] in card.inner_text()
    editor.page.keyboard.press("Escape")


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_opens_without_a_fault_and_exports_as_it_is_rendered(
    editor: Editor, api_graph: Callable[[str], Graph], name: str
) -> None:
    editor.open_template(name)
    assert editor.unknown_nodes() == []
    assert editor.red_inputs() == []
    assert _comparable(editor.exported()) == _comparable(api_graph(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_template_runs_as_it_opens_and_ends_with_a_playing_video(
    editor: Editor, comfyui: RunningComfyUI, screenshots: Path, name: str
) -> None:
    comfyui.post("/free", {"free_memory": True})  # else what another run made is taken from the cache
    editor.open_template(name)
    titles = editor.run()
    editor.fit_view()
    if name == INDEXING:
        editor.screenshot(screenshots / f"{name}.png")
        assert "8 indexed, 0 skipped, 0 failed" in editor.page.get_by_role("log").first.inner_text()
        return
    assert len({_PROGRESS.match(title).group(1) for title in titles if _PROGRESS.match(title)}) > 1
    assert any(0 < int(step) < 100 for title in titles for step in _PROGRESS.findall(title)[1:])
    width, height, seconds = editor.play_output()
    editor.screenshot(screenshots / f"{name}.png")
    assert min(width, height) > 0
    assert seconds > 0
    assert editor.red_inputs() == []
    if RETRIEVE in editor.node_types():
        assert editor.page.get_by_role("button", name="Pin").count() >= 9, "the clips found are not shown in the node"


def test_an_input_that_the_server_refuses_is_marked_red(editor: Editor, screenshots: Path) -> None:
    editor.open_template("image_to_video_with_motion")
    editor.set_widget("database", "winter-sports", node_prefix="MotionRAGLoadMotionDatabase")
    assert editor.red_inputs() == ["MotionRAGLoadMotionDatabase.database=winter-sports"]
    with pytest.raises(AssertionError, match="Expected the motion database 'winter-sports'"):
        editor.run()
    editor.screenshot(screenshots / "refused.png")
    assert "MotionRAGLoadMotionDatabase.database" in editor.red_inputs()
    # The console tells of the refusal, as it should; what comes next begins without the refusal's dialog.
    assert all("400 (Bad Request)" in said or "PromptExecutionError" in said for said in editor.complaints)
    editor.complaints.clear()
    editor.reload()

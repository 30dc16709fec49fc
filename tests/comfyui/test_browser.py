"""The saved workflows in the real editor: nothing is missing, and its export equals what `motionrag render` makes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from motionrag_nodes.batch_render.workflow_file import read_workflow, to_api_graph
from tests.comfyui.conftest import RunningComfyUI

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install playwright)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.comfyui,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)"),
]
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
_READY = "() => !!(window.app && window.app.graph && window.app.extensionManager && window.LiteGraph)"
_UNKNOWN = "window.app.graph._nodes.filter(n => !window.LiteGraph.registered_node_types[n.type]).map(n => n.type)"


@pytest.fixture(scope="module")
def page(comfyui: RunningComfyUI) -> Iterator[Any]:
    settings = {"Comfy.TutorialCompleted": True}  # else the gallery of templates lies over the graph
    comfyui.post("/settings", settings)
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        tab = browser.new_page(viewport={"width": 1600, "height": 900})
        tab.goto(comfyui.url)
        tab.wait_for_function(_READY, timeout=90_000)
        # Ready before the nodes are registered: wait for ours.
        tab.wait_for_function(
            "() => 'MotionRAGGenerateVideo' in window.LiteGraph.registered_node_types", timeout=90_000
        )
        yield tab
        browser.close()


def _comparable(graph: dict[str, Any]) -> dict[str, Any]:
    return {i: {"class_type": node["class_type"], "inputs": node["inputs"]} for i, node in graph.items()}


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.json"))


@pytest.mark.parametrize("name", _names(Path(__file__).resolve().parents[2] / "workflows"))
def test_workflow_in_the_editor(page: Any, comfyui: RunningComfyUI, workflows: Path, name: str, tmp_path: Path) -> None:
    path = workflows / f"{name}.json"
    page.evaluate("async workflow => { await window.app.loadGraphData(workflow) }", json.loads(path.read_text()))
    assert page.evaluate(f"() => {_UNKNOWN}") == []
    exported = page.evaluate("async () => (await window.app.graphToPrompt()).output")
    converted = to_api_graph(read_workflow(path), comfyui.object_info)
    assert _comparable(exported) == _comparable(converted)
    page.screenshot(path=str(tmp_path / f"{name}.png"))
    assert (tmp_path / f"{name}.png").stat().st_size > 0

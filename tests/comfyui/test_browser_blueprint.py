"""The blueprint: the whole way from picture to video as one node, offered by the editor without any import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from editor_pictures.editor import Editor
from motionrag_nodes.batch_render.server.install import checkout_folder
from motionrag_nodes.batch_render.workflow_file import is_link, read_workflow, to_api_graph
from tests.comfyui.conftest import RunningComfyUI

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]

FOLDER = checkout_folder() / "subgraphs"
NAME = "Animate Picture with Motion"
_WIRE = """() => {
    const graph = window.app.graph
    const whole = graph.nodes.find(node => node.isSubgraphNode?.())
    const [load, save] = ['LoadImage', 'SaveVideo'].map(type => {
        const node = window.LiteGraph.createNode(type)
        graph.add(node)
        return node
    })
    load.connect(0, whole, 'image')
    whole.connect(whole.findOutputSlot('video'), save, 'video')
    load.pos = [-400, 0]
    whole.pos = [0, 0]
    save.pos = [500, 0]
}"""


def _tree(graph: dict[str, Any], node_id: str) -> tuple[str, dict[str, Any]]:
    """A node and all before it, without ids: the editor and the converter count nodes inside a subgraph differently."""
    node = graph[node_id]
    inputs = {k: (_tree(graph, v[0]), v[1]) if is_link(v) else v for k, v in node["inputs"].items()}
    return node["class_type"], inputs


def _end(graph: dict[str, Any]) -> str:
    return next(node_id for node_id, node in graph.items() if node["class_type"] == "SaveVideo")


def test_the_server_offers_every_blueprint(comfyui: RunningComfyUI) -> None:
    # Later versions (0.33) offer some of ComfyUI's own as well.
    packs = {number: entry["info"]["node_pack"] for number, entry in comfyui.get("/global_subgraphs").items()}
    ours = [number for number, pack in packs.items() if pack == "custom_nodes.motionrag"]
    offered = {number: comfyui.get(f"/global_subgraphs/{number}") for number in ours}
    assert sorted(entry["name"] for entry in offered.values()) == sorted(path.stem for path in FOLDER.glob("*.json"))
    for entry in offered.values():
        blueprint = json.loads(entry["data"])
        assert blueprint["extra"]["BlueprintDescription"]


def test_it_is_found_wired_and_run_as_one_node(
    editor: Editor, comfyui: RunningComfyUI, screenshots: Path, tmp_path: Path
) -> None:
    editor.new_workflow()
    assert any(entry.startswith(NAME) for entry in editor.search("animate picture"))
    editor.take_offer(NAME)
    editor.page.evaluate(_WIRE)
    editor.set_widget("prompt", "a square moves down")
    assert editor.red_inputs() == []
    saved = tmp_path / "blueprint.json"
    saved.write_text(json.dumps(editor.page.evaluate("() => window.app.graph.serialize()")))
    exported, rendered = editor.exported(), to_api_graph(read_workflow(saved), comfyui.object_info)
    assert len(exported) == len(rendered) == 8
    assert _tree(exported, _end(exported)) == _tree(rendered, _end(rendered))
    assert any(node["inputs"].get("prompt") == "a square moves down" for node in exported.values())
    editor.run()
    editor.fit_view()
    assert editor.play_output()[2] > 0
    editor.screenshot(screenshots / "blueprint.png")

"""`make texts`: writes the English texts of the nodes, from their own schemas, and those of the templates' notes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from motionrag_nodes.batch_render.server.install import checkout_folder, find_comfyui
from motionrag_nodes.batch_render.server.own_server import ComfyUIServer

PREFIX = "MotionRAG"
ENGLISH = checkout_folder() / "locales" / "en" / "nodeDefs.json"
OWN_ENGLISH = ENGLISH.with_name("main.json")
WORKFLOWS = checkout_folder() / "workflows"
_NOTE = "MarkdownNote"


def english_texts(object_info: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Our nodes' names, descriptions and tooltips in the editor's own form, from ComfyUI's /object_info."""
    return {name: _texts_of(node) for name, node in sorted(object_info.items()) if name.startswith(PREFIX)}


def english_notes(folder: Path = WORKFLOWS) -> dict[str, str]:
    """The note of each template, by the template's name: the page looks for its translation by these words."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
        found.update((path.stem, node["widgets_values"][0]) for node in nodes if node["type"] == _NOTE)
    return found


def _texts_of(node: Mapping[str, Any]) -> dict[str, Any]:
    inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
    outputs = zip(node["output_name"], node["output_tooltips"], strict=True)
    return {
        "display_name": node["display_name"],
        "description": node["description"],
        "inputs": {
            name: {"name": spec[1].get("display_name", name), "tooltip": spec[1]["tooltip"]}
            for name, spec in inputs.items()
        },
        "outputs": {str(slot): {"name": name, "tooltip": said} for slot, (name, said) in enumerate(outputs)},
    }


def main() -> None:
    """Start ComfyUI, ask for the nodes, and write the files."""
    with (
        ComfyUIServer(find_comfyui()).start() as server,
        urllib.request.urlopen(f"{server.url}/object_info", timeout=60) as response,
    ):
        texts = english_texts(json.load(response))
    own = json.loads(OWN_ENGLISH.read_text(encoding="utf-8"))
    own["motionrag"]["notes"] = english_notes()
    for path, written in ((ENGLISH, texts), (OWN_ENGLISH, own)):
        path.write_text(json.dumps(written, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    Console().print(f"{len(texts)} nodes in {ENGLISH}")


if __name__ == "__main__":
    main()

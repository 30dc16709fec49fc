"""Small workflows for the tests: builders of the editor's form, and the part of a real /object_info that they use.

data/object_info.json was written by ComfyUI 0.3.75, cut down to the nodes used here, without tooltips.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.workflow_file import ObjectInfo

_OBJECT_INFO = Path(__file__).parent / "data" / "object_info.json"


def object_info() -> ObjectInfo:
    info: ObjectInfo = json.loads(_OBJECT_INFO.read_text())
    return info


def ui_node(
    node_id: int, kind: str, *, inputs: Any = (), outputs: Any = (), widgets: Any = (), **more: Any
) -> dict[str, Any]:
    """`inputs`: (name, type, link id or None); `outputs`: types."""
    return {
        "id": node_id,
        "type": kind,
        "mode": 0,
        "inputs": [{"name": name, "type": type_, "link": link} for name, type_, link in inputs],
        "outputs": [{"name": type_, "type": type_, "links": []} for type_ in outputs],
        "widgets_values": list(widgets) if not isinstance(widgets, dict) else widgets,
        **more,
    }


def text_to_image() -> dict[str, Any]:
    """Checkpoint, two prompts, sampler, decode, save: with a seed control, a reroute and a note."""
    return {
        "nodes": [
            ui_node(4, "CheckpointLoaderSimple", outputs=["MODEL", "CLIP", "VAE"], widgets=["second.safetensors"]),
            ui_node(6, "CLIPTextEncode", inputs=[("clip", "CLIP", 2)], widgets=["a boat"], title="Positive"),
            ui_node(7, "CLIPTextEncode", inputs=[("clip", "CLIP", 3)], widgets=["blurry"], title="Negative"),
            ui_node(5, "EmptyLatentImage", widgets=[64, 32, 1]),
            ui_node(
                3,
                "KSampler",
                inputs=[
                    ("model", "MODEL", 1),
                    ("positive", "CONDITIONING", 4),
                    ("negative", "CONDITIONING", 5),
                    ("latent_image", "LATENT", 6),
                ],
                widgets=[7, "randomize", 4, 6.5, "euler", "karras", 0.9],
            ),
            ui_node(8, "VAEDecode", inputs=[("samples", "LATENT", 7), ("vae", "VAE", 9)]),
            ui_node(10, "Reroute", inputs=[("", "*", 8)], outputs=["VAE"]),
            ui_node(9, "SaveImage", inputs=[("images", "IMAGE", 10)], widgets=["boat"]),
            ui_node(11, "Note", widgets=["remember the milk"]),
        ],
        "links": [
            [1, 4, 0, 3, 0, "MODEL"],
            [2, 4, 1, 6, 0, "CLIP"],
            [3, 4, 1, 7, 0, "CLIP"],
            [4, 6, 0, 3, 1, "CONDITIONING"],
            [5, 7, 0, 3, 2, "CONDITIONING"],
            [6, 5, 0, 3, 3, "LATENT"],
            [7, 3, 0, 8, 0, "LATENT"],
            [8, 4, 2, 10, 0, "VAE"],
            [9, 10, 0, 8, 1, "VAE"],
            [10, 8, 0, 9, 0, "IMAGE"],
        ],
    }


def picture_to_picture() -> dict[str, Any]:
    """A loaded picture, inverted and saved."""
    return {
        "nodes": [
            ui_node(1, "LoadImage", outputs=["IMAGE", "MASK"], widgets=["example.png", "image"], title="Picture"),
            ui_node(2, "ImageInvert", inputs=[("image", "IMAGE", 1)], outputs=["IMAGE"]),
            ui_node(3, "SaveImage", inputs=[("images", "IMAGE", 2)], widgets=["out"], title="Result"),
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]],
    }


def write_workflow(path: Path, data: dict[str, Any]) -> Path:
    path.write_text(json.dumps(data))
    return path

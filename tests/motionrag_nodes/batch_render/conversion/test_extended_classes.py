"""Nodes to which the editor or a pack's page adds widgets that no server declares."""

from __future__ import annotations

from typing import Any

import pytest

from motionrag_nodes.batch_render.conversion.convert import convert_workflow
from motionrag_nodes.batch_render.errors import ConversionError
from tests.motionrag_nodes.batch_render.conversion.trap_classes import choice, declared
from tests.motionrag_nodes.batch_render.graphs import ui_node

_LORAS = "Power Lora Loader (rgthree)"
_FORMATS = {"video/h264": [["pix_fmt", ["yuv420p", "yuv444p"]], ["crf", "INT", {"default": 19}]], "image/gif": []}
CLASSES = {
    entry["name"]: entry
    for entry in (
        declared("CustomCombo", {"choice": choice()}, gives=("STRING", "INT")),
        declared("Combine", {"rate": ["FLOAT", {"default": 8}], "format": [list(_FORMATS), {"formats": _FORMATS}]}),
        declared(_LORAS, {}, {"model": ["MODEL"]}, gives=("MODEL",)),
        declared("Pages", {"text": ["STRING", {}]}, gives=("STRING",)),
    )
}


def _inputs(kind: str, values: Any, **more: Any) -> dict[str, Any]:
    prompt = convert_workflow({"nodes": [ui_node(1, kind, widgets=values, **more)], "links": []}, CLASSES)
    inputs: dict[str, Any] = prompt["1"]["inputs"]
    return inputs


def test_a_list_of_ones_own_has_a_field_more_than_choices() -> None:
    assert _inputs("CustomCombo", ["9:16", 1, "16:9", "9:16", ""]) == {
        "choice": "9:16",
        "index": 1,
        "option1": "16:9",
        "option2": "9:16",
        "option3": "",
    }
    assert _inputs("CustomCombo", ["gone", 5, ""]) == {"choice": "gone", "index": -1, "option1": ""}


def test_a_format_brings_its_widgets() -> None:
    values = {"rate": 25, "format": "video/h264", "crf": 45, "pix_fmt": "yuv444p", "editor_only": 1}
    assert _inputs("Combine", values) == {"rate": 25, "format": "video/h264", "pix_fmt": "yuv444p", "crf": 45}
    assert _inputs("Combine", {"format": "image/gif", "crf": 45}) == {"rate": 8, "format": "image/gif"}


@pytest.mark.parametrize(
    ("shown", "first"),
    [
        ("Single Strength", {"on": True, "lora": "a", "strength": 0.5}),
        ("Separate Model & Clip", {"on": True, "lora": "a", "strength": 0.5, "strengthTwo": 1}),
    ],
)
def test_listed_loras_are_inputs(shown: str, first: dict[str, Any]) -> None:
    saved = [
        {},
        {"type": "PowerLoraLoaderHeaderWidget"},
        {"on": True, "lora": "a", "strength": 0.5, "strengthTwo": None},
        {"on": False, "lora": "b", "strength": 1},
        {},
        "",
    ]
    inputs = _inputs(_LORAS, saved, properties={"Show Strengths": shown})
    assert inputs["lora_1"] == first
    assert inputs["lora_2"]["lora"] == "b" and set(inputs) == {"lora_1", "lora_2"}


def test_what_a_page_of_a_pack_has_made_is_refused_by_name() -> None:
    assert _inputs("Pages", ["kept", "old value", 7, {}]) == {"text": "kept"}
    with pytest.raises(ConversionError, match=r"Node 1 \(Pages\) holds values .* Use \"Export \(API\)\""):
        _inputs("Pages", ["kept", {"page": 3}])
    with pytest.raises(ConversionError, match="lacks: Other"):
        _inputs("Other", [{"page": 3}])

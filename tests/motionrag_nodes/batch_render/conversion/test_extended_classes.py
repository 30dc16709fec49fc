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
PREFIX = "Select the prefix add to the text"
CLASSES = {
    entry["name"]: entry
    for entry in (
        declared("CustomCombo", {"choice": choice()}, gives=("STRING", "INT")),
        declared("Combine", {"rate": ["FLOAT", {"default": 8}], "format": [list(_FORMATS), {"formats": _FORMATS}]}),
        declared(_LORAS, {}, {"model": ["MODEL"]}, gives=("MODEL",)),
        declared("Pages", {"text": ["STRING", {}]}, gives=("STRING",)),
        declared("Styles", {"a": ["INT", {}], "styles": ["PACK_STYLES", {}], "b": ["INT", {}], "model": ["MODEL"]}),
        declared("Times", {"start": ["FLOAT", {"widgetType": "PACKTIME"}], "rate": ["INT", {}]}),
        declared("Power Primitive (rgthree)", {}, gives=("*",)),
        declared(
            "Power Prompt (rgthree)",
            {"prompt": ["STRING", {}], "insert_lora": choice("CHOOSE"), "target_width": ["INT", {}]},
            {"insert_saved": choice("CHOOSE", "DISABLE SAVED"), "insert_embedding": choice("CHOOSE", "NONE", "a")},
        ),
        declared("VHS_BatchManager", {"frames_per_batch": ["INT", {"default": 16}]}, gives=("BATCH",)),
        declared("easy imageChooser", {"mode": choice("Always Pause", "Keep Last Selection"), "scale": ["FLOAT", {}]}),
        declared("ShowText|pysssss", {"text": ["STRING", {"forceInput": True}]}, gives=("STRING",)),
        declared("easy showAnything", {}, {"anything": ["*", {}]}, gives=("*",)),
        declared("easy prompt", {"text": ["STRING", {}], "prefix": choice(PREFIX, "a photo"), "subject": choice("b")}),
        declared("easy wildcards", {"text": ["STRING", {}], "lora": choice("x"), "word": choice("y")}),
        declared("ImageBatchMulti", {"inputcount": ["INT", {"default": 2}]}, gives=("IMAGE",)),
        declared("VHS_LoadVideoPath", {name: ["INT", {}] for name in ("force_rate", "custom_width", "custom_height")}),
        declared("VHS_VideoCombine", {"frame_rate": ["FLOAT", {}], "save_output": ["BOOLEAN", {"default": True}]}),
        declared("VHS_SelectLatest", {"filename_prefix": ["STRING", {}]}),
    )
}


def _inputs(kind: str, values: Any, **more: Any) -> dict[str, Any]:
    prompt = convert_workflow({"nodes": [{**ui_node(1, kind, widgets=values), **more}], "links": []}, CLASSES)
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
    with pytest.raises(ConversionError, match=r"Node 1 \(Pages\): Expected values that .* Use \"Export \(API\)\""):
        _inputs("Pages", ["kept", {"page": 3}])
    with pytest.raises(ConversionError, match="lacks Other"):
        _inputs("Other", [{"page": 3}])


def test_inputs_that_a_packs_page_shows_as_fields_are_found_by_the_file() -> None:
    """There is no socket of theirs, and there is a value more; else they are sockets."""
    field = {"name": "styles", "type": "PACK_STYLES", "link": None, "widget": {"name": "styles"}}
    sockets = [{"name": "model", "type": "MODEL", "link": None}]
    for inputs in (sockets, [field, *sockets]):
        assert _inputs("Styles", [1, "noir", 2], inputs=inputs) == {"a": 1, "styles": "noir", "b": 2}
    assert _inputs("Styles", [1, 2], inputs=[{**field, "widget": None}, *sockets]) == {"a": 1, "b": 2}
    assert _inputs("Times", {"start": 1.5, "rate": 8, "preview": {}}) == {"start": 1.5, "rate": 8}
    assert _inputs("Times", {"rate": 8}) == {"rate": 8}


def test_fields_and_buttons_of_packs_are_sent_as_their_pages_send_them() -> None:
    assert _inputs("Power Primitive (rgthree)", ["INT", 7]) == {"type": "INT", "value": 7}
    assert _inputs("ImageBatchMulti", [3, None]) == {"inputcount": 3, "Update inputs": None}
    with pytest.raises(ConversionError, match="the newest file of the server's folder"):
        _inputs("VHS_SelectLatest", {"filename_prefix": "x"})


@pytest.mark.parametrize(
    ("saved", "size"),
    [
        ({"force_size": "Disabled", "custom_width": 512, "custom_height": 312}, (0, 0)),
        ({"force_size": "Custom Height", "custom_width": 512, "custom_height": 312}, (0, 312)),
        ({"force_size": "256x?", "custom_width": 512}, (256, 0)),
        ({"custom_width": 512, "custom_height": 312}, (512, 312)),
        (["a.mp4", 8, "640x480", 0, 0, 1], (640, 480)),
    ],
)
def test_sizes_of_older_files_are_read_as_their_pack_reads_them(saved: Any, size: tuple[int, int]) -> None:
    inputs = _inputs("VHS_LoadVideoPath", saved)
    assert (inputs["custom_width"], inputs["custom_height"]) == size


def test_a_former_name_gives_its_value() -> None:
    assert _inputs("VHS_VideoCombine", {"save_image": False})["save_output"] is False
    assert _inputs("VHS_VideoCombine", [8, 0, "x", "image/gif", False, False])["save_output"] is False


def test_lists_of_power_prompts_are_sent_where_they_have_choices() -> None:
    assert _inputs("Power Prompt (rgthree)", ["a cat", "CHOOSE"]) == {"prompt": "a cat", "insert_embedding": "CHOOSE"}


def test_a_count_is_sent_as_it_was_saved() -> None:
    assert _inputs("VHS_BatchManager", {"frames_per_batch": 8, "count": 3}) == {"frames_per_batch": 8, "count": 3}
    assert _inputs("VHS_BatchManager", {}) == {"frames_per_batch": 16, "count": 0}


def test_a_button_is_called_after_the_choice() -> None:
    assert _inputs("easy imageChooser", ["Keep Last Selection", 1]) == {
        "mode": "Keep Last Selection",
        "scale": 1,
        "Using last selection": "",
    }
    assert "Waiting for selection..." in _inputs("easy imageChooser", [])


def test_texts_of_the_last_run_are_sent() -> None:
    sockets = {"inputs": [{"name": "anything", "type": "*", "link": None}]}
    assert _inputs("easy showAnything", ["a", "b"], **sockets) == {"text": "b"}
    assert _inputs("easy showAnything", [["a", "b"]], **sockets) == {"text": {"__value__": ["a", "b"]}}
    assert _inputs("easy showAnything", [], **sockets) == {}


@pytest.mark.parametrize("values", [["a", "b"], ["", "a", "b"], [["a", "b"]], ["", ["a", "b"]]])
def test_texts_of_the_last_run_are_numbered(values: list[Any]) -> None:
    sockets = {"inputs": [{"name": "text", "type": "STRING", "link": None}]}
    assert _inputs("ShowText|pysssss", values, **sockets) == {"text_0": "a", "text_1": "b"}


def test_lists_to_insert_from_put_words_into_the_text() -> None:
    subject = "👤Select the subject add to the text"
    kept = {"prefix": PREFIX, "subject": subject}
    assert _inputs("easy prompt", ["a cat", "Select the prefix to add to the text", subject]) == {
        "text": "a cat",
        **kept,
    }
    assert _inputs("easy prompt", ["a cat", "a photo", "unknown"]) == {"text": "a cat a photo", **kept}
    assert _inputs("easy wildcards", ["", "x.safetensors", "__y__"])["text"] == "<lora:x>, __y__"


def test_a_class_declared_under_another_s_name_is_sent_as_that() -> None:
    classes = CLASSES | {"easy showAnythingLazy": CLASSES["easy showAnything"]}
    prompt = convert_workflow({"nodes": [ui_node(1, "easy showAnythingLazy")], "links": []}, classes)
    assert prompt["1"]["class_type"] == "easy showAnything"

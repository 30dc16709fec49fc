"""Help, texts and search in the real editor, in English and in Chinese."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from editor_pictures.editor import Editor
from motionrag_nodes.batch_render.server.install import checkout_folder
from tests.comfyui.conftest import FRONTEND_VARIABLE

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]

LOCALES = checkout_folder() / "locales"
TEXTS: dict[str, Any] = json.loads((LOCALES / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
CHINESE: dict[str, Any] = json.loads((LOCALES / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))
# What an artist may type, and the node that must be among the first offered.
NATURAL_WORDS = {
    "search": "MotionRAGRetrieveNeighbours",
    "similar": "MotionRAGRetrieveNeighbours",
    "animate picture": "MotionRAGFindMotion",
    "own clips": "MotionRAGEncodeReferenceVideos",
    "build database": "MotionRAGIndexFolder",
    "inspect": "MotionRAGDatabaseInfo",
    "diagnose": "MotionRAGDoctor",
    "image to video": "MotionRAGGenerateVideo",
    "motion transfer": "MotionRAGAdaptMotion",
    "clips": "MotionRAGLoadMotionDatabase",
    "svd": "MotionRAGLoadVideoModel",
    "patch model": "MotionRAGApplyMotion",
    "motionrag": "MotionRAGLoadMotionPack",
}
FIRST = 12
NEWER_FRONTEND = FRONTEND_VARIABLE in os.environ
_LOADED = "image => image.complete && image.naturalWidth > 0"


@pytest.fixture(scope="module")
def chinese(page_of_the_session: Editor) -> Iterator[Editor]:
    """The editor of someone who set its language to Chinese."""
    page_of_the_session.set_setting("Comfy.Locale", "zh")
    page_of_the_session.reload()
    yield page_of_the_session
    page_of_the_session.set_setting("Comfy.Locale", "en")
    page_of_the_session.reload()


def _help_of(editor: Editor, node_type: str) -> str:
    editor.new_workflow()
    editor.add_node(node_type)
    editor.show_at((0, 0), (700, 300))
    page = editor.open_help(node_type)
    editor.page.wait_for_function(_LOADED, arg=page.get_by_role("img").first.element_handle())
    return page.inner_text()


@pytest.mark.parametrize("node_type", TEXTS)
def test_the_info_button_opens_the_node_s_help_with_its_picture(
    editor: Editor, screenshots: Path, node_type: str
) -> None:
    assert _help_of(editor, node_type).startswith(TEXTS[node_type]["display_name"])
    editor.screenshot(screenshots / "help" / f"{node_type}.png")


@pytest.mark.parametrize(("words", "node_type"), NATURAL_WORDS.items())
def test_a_node_is_found_by_natural_words(editor: Editor, words: str, node_type: str) -> None:
    editor.new_workflow()
    found = editor.search(words)
    editor.close_search()
    place = next((place for place, entry in enumerate(found) if node_type in "".join(entry.split())), len(found))
    assert place < len(found), found
    # A frontend newer than ComfyUI's own offers nodes first whose names bear the words, of which ComfyUI has many.
    unlike = [entry for entry in found[:place] if not (NEWER_FRONTEND and _bears(entry, words))]
    assert len(unlike) < FIRST, found


def _bears(entry: str, words: str) -> bool:
    """Whether an offer has the words, in the singular, in one piece, as in "WanImageToVideo"."""
    return words.replace(" ", "").removesuffix("s") in "".join(entry.split()).lower()


def test_a_node_added_from_the_search_has_its_plain_name(editor: Editor, screenshots: Path) -> None:
    editor.new_workflow()
    assert any(entry.startswith("Retrieve Neighbours") for entry in editor.search("similar"))
    editor.screenshot(screenshots / "search.png")
    editor.take_offer("MotionRAGRetrieveNeighbours")
    assert editor.page.evaluate("() => window.app.graph.nodes.map(node => node.title)") == ["Retrieve Neighbours"]


@pytest.mark.usefixtures("editor")
def test_in_chinese_every_node_speaks_chinese(chinese: Editor, screenshots: Path) -> None:
    chinese.new_workflow()
    for node_type in CHINESE:
        chinese.add_node(node_type)
    shown = chinese.page.evaluate(
        """() => Object.fromEntries(window.app.graph.nodes.map(node => [node.type, {
            title: node.title,
            inputs: Object.fromEntries(node.inputs.map(input => [input.name, input.label ?? input.localized_name])),
            outputs: node.outputs.map(output => output.label ?? output.localized_name),
        }]))"""
    )
    for node_type, texts in CHINESE.items():
        assert shown[node_type]["title"] == texts["display_name"]
        labels = {name: shown[node_type]["inputs"].get(name) for name in texts["inputs"]}  # a button is not among them
        assert labels == {name: text["name"] for name, text in texts["inputs"].items()}
        assert shown[node_type]["outputs"] == [output["name"] for output in texts["outputs"].values()]
    assert _help_of(chinese, "MotionRAGRetrieveNeighbours").startswith("检索相似片段")
    chinese.screenshot(screenshots / "chinese.png")
    chinese.new_workflow()
    found = chinese.search("图生视频")
    chinese.close_search()
    assert any("MotionRAGGenerateVideo" in "".join(entry.split()) for entry in found), found


_LABELS = """() => window.app.graph.nodes.flatMap(node => node.widgets ?? [])
    .filter(widget => widget.options?.getOptionLabel).map(widget => widget.options.getOptionLabel(widget.value))"""
# Pixels of each text, as the page draws it; a glyph that no font has is drawn like the last one.
_DRAWN = """texts => texts.map(text => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 40, height: 40})
    const context = canvas.getContext('2d')
    context.font = '30px sans-serif'
    context.fillText(text, 2, 32)
    return canvas.toDataURL()
})"""
_NO_GLYPH = "\U000fffff"


@pytest.mark.usefixtures("editor")
def test_in_chinese_a_template_can_be_read(chinese: Editor, screenshots: Path) -> None:
    drawn = chinese.page.evaluate(_DRAWN, ["运", "动", _NO_GLYPH])
    if len(set(drawn)) < len(drawn):
        pytest.skip("needs a font with Chinese (apt-get install fonts-noto-cjk)")
    chinese.open_template("image_to_video_with_motion")
    assert "检索相似片段" in chinese.page.get_by_role("heading", level=2).locator("..").first.inner_text()
    titles = chinese.page.evaluate("() => window.app.graph.groups.map(group => group.title)")
    assert "相似片段" in titles
    assert "按提示词" in chinese.page.evaluate(_LABELS)
    chinese.set_widget("mode", "smell", node_prefix="MotionRAGRetrieveNeighbours")
    with pytest.raises(AssertionError, match="the run was refused"):
        chinese.run()
    said = chinese.page.get_by_role("dialog").or_(chinese.page.get_by_role("alert"))
    said.filter(has_text="请从中选择").first.wait_for()
    chinese.screenshot(screenshots / "chinese_template.png")
    chinese.complaints.clear()
    chinese.page.keyboard.press("Escape")


@pytest.mark.usefixtures("editor")
def test_in_chinese_errors_of_a_run_and_reports_are_chinese(chinese: Editor, screenshots: Path) -> None:
    chinese.open_template("image_to_video_with_motion")
    chinese.set_widget("weights", "nobody: 2", node_prefix="MotionRAGRetrieveNeighbours")
    with pytest.raises(AssertionError, match="received nobody"):
        chinese.run()
    said = chinese.page.get_by_role("dialog").or_(chinese.page.get_by_role("alert"))
    said.filter(has_text="权重应写给某个片段").first.wait_for()
    chinese.screenshot(screenshots / "chinese_error.png")
    chinese.complaints.clear()
    chinese.page.keyboard.press("Escape")
    chinese.open_template("index_my_videos")
    chinese.run()
    report = chinese.page.get_by_role("log")
    report.filter(has_text="本次：索引").filter(has_text=re.compile(r"第 \d+ 代")).first.wait_for()
    report.filter(has_text="运动数据的编码器").first.wait_for()
    chinese.fit_view()
    chinese.screenshot(screenshots / "chinese_reports.png")

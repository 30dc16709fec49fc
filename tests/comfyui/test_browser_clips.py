"""Choosing clips by a click: pin, exclude and weigh a clip under its picture, in both looks of the editor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from editor_pictures.editor import Editor

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]


def _find(editor: Editor) -> dict[str, Any]:
    nodes = editor.exported().values()
    inputs: dict[str, Any] = next(n["inputs"] for n in nodes if n["class_type"] == "MotionRAGFindMotion")
    return inputs


def test_a_click_pins_excludes_and_weighs_a_clip(editor: Editor, looks: str, screenshots: Path) -> None:
    editor.open_template("animate_picture_simple")
    editor.set_widget("steps", 1)
    editor.set_widget("prompt", f"a circle goes round, {looks}", node_prefix="MotionRAGFindMotion")
    editor.run()
    cards = editor.page.get_by_role("group").filter(has=editor.page.get_by_role("button", name="Pin"))
    cards.nth(8).wait_for()
    names = [cards.nth(place).get_attribute("aria-label") for place in range(3)]
    editor.fit_view()
    cards.nth(0).get_by_role("button", name="Exclude").click()
    cards.nth(1).get_by_role("button", name="Pin").click()
    weight = cards.nth(2).get_by_role("spinbutton")
    weight.fill("2")
    weight.press("Enter")
    chosen = {"exclude": names[0], "pin": names[1], "weights": f"{names[2]}: 2"}
    assert {name: _find(editor)[name] for name in chosen} == chosen
    saved = editor.page.evaluate("() => window.app.graph.serialize().nodes.flatMap(node => node.widgets_values ?? [])")
    assert set(chosen.values()) <= set(filter(lambda value: isinstance(value, str), saved))
    editor.screenshot(screenshots / "clips" / f"{looks}.png")
    editor.run()
    first = cards.first
    first.filter(has_text=names[1]).wait_for()
    editor.fit_view()  # else what is clicked may lie under the editor's bars
    assert cards.filter(has_text=names[0]).count() == 0
    first.get_by_role("button", name="Pin").click()
    assert _find(editor)["pin"] == ""

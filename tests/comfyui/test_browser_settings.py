"""Generate Video in the editor: the model's own values are seen, and saved as what they stand for; rare inputs fold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from editor_pictures.editor import Editor

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]

_GENERATE = "window.app.graph.nodes.find(node => node.type === 'MotionRAGGenerateVideo')"
_VALUES = f"() => Object.fromEntries({_GENERATE}.widgets.map(widget => [widget.name, widget.value]))"
_DRAWN = f"""() => {_GENERATE}.widgets.filter(widget => {_GENERATE}.isWidgetVisible(widget))
    .map(widget => widget.label ?? widget.name)"""
_DISCONNECT = f"""() => {_GENERATE}.inputs.forEach((input, place) => {{
    if (['motion', 'video_model'].includes(input.name)) {_GENERATE}.disconnectInput(place)
}})"""
# As the packaged pack was trained.
OWN = {"steps": 4, "frame_count": 8, "fps": 4, "width": 64, "min_guidance": 1, "motion_bucket_id": 127}
RARE = {"start", "fps", "width", "min_guidance", "decode_chunk_size"}
# Of other models than the packaged one.
FOREIGN = {"guidance", "frame_stride", "video model's prompt", "video model's negative prompt"}


def _generate(editor: Editor) -> dict[str, Any]:
    nodes = editor.exported().values()
    inputs: dict[str, Any] = next(n["inputs"] for n in nodes if n["class_type"] == "MotionRAGGenerateVideo")
    return inputs


def _seen(editor: Editor, looks: str, *, with_steps: bool = True) -> set[str]:
    """The names of the inputs that Generate Video shows, once it has settled."""
    if looks == "classic":
        has = "includes('steps')" if with_steps else "every(name => name !== 'steps')"
        editor.page.wait_for_function(f"() => ({_DRAWN})().{has}")
        return set(editor.page.evaluate(_DRAWN))
    node = _drawn_node(editor)
    node.get_by_text("steps", exact=True).wait_for(state="visible" if with_steps else "detached")
    return set(node.inner_text().splitlines())


def _drawn_node(editor: Editor) -> Any:
    return editor.page.locator("[data-node-id]").filter(has_text="Generate Video").first


def _toggle(editor: Editor, looks: str, words: str) -> None:
    if looks == "classic":
        editor.page.evaluate(f"() => {_GENERATE}.toggleAdvanced()")
    else:
        _drawn_node(editor).get_by_text(words).last.click()


def test_settings_that_are_not_set_are_shown_as_the_model_s_own_and_kept_as_not_set(editor: Editor) -> None:
    editor.open_template("animate_picture_simple")
    editor.page.wait_for_function(f"() => ({_VALUES})().steps === {OWN['steps']}")
    shown = editor.page.evaluate(_VALUES)
    assert {name: shown[name] for name in OWN} == OWN
    exported = _generate(editor)
    assert {name: exported[name] for name in OWN} == {name: -1 if name == "motion_bucket_id" else 0 for name in OWN}
    saved = editor.page.evaluate(f"() => {_GENERATE}.serialize().widgets_values")
    assert OWN["steps"] not in saved and 127 not in saved
    editor.set_widget("steps", 7)
    assert _generate(editor)["steps"] == 7
    editor.set_widget("steps", 0)
    editor.page.wait_for_function(f"() => ({_VALUES})().steps === {OWN['steps']}")


def test_rare_inputs_fold_and_those_of_other_models_are_not_shown(
    editor: Editor, looks: str, screenshots: Path
) -> None:
    editor.open_template("animate_picture_simple")
    editor.fit_view()
    seen = _seen(editor, looks)
    assert {"seed", "strength", "steps", "frame_count"} <= seen and not (RARE | FOREIGN) & seen
    editor.screenshot(screenshots / "settings" / f"{looks} folded.png")
    _toggle(editor, looks, "Show advanced inputs")
    editor.page.wait_for_timeout(500)
    seen = _seen(editor, looks)
    assert seen >= RARE and not FOREIGN & seen
    editor.screenshot(screenshots / "settings" / f"{looks} unfolded.png")
    _toggle(editor, looks, "Hide advanced inputs")
    editor.page.wait_for_timeout(500)
    assert not RARE & _seen(editor, looks)


def test_before_a_model_is_connected_no_number_stands_for_its_own(
    editor: Editor, looks: str, screenshots: Path
) -> None:
    editor.open_template("animate_picture_simple")
    editor.fit_view()
    assert "steps" in _seen(editor, looks)
    editor.page.evaluate(_DISCONNECT)
    assert not {"steps", "frame_count"} & _seen(editor, looks, with_steps=False)
    editor.screenshot(screenshots / "settings" / f"{looks} unconnected.png")
    editor.set_widget("steps", 7, node_prefix="MotionRAGGenerateVideo")
    assert "frame_count" not in _seen(editor, looks)
    assert _generate(editor)["steps"] == 7


def test_where_the_pack_cannot_be_told_a_number_is_named_as_what_it_is(editor: Editor) -> None:
    editor.open_template("animate_picture_simple")
    editor.page.wait_for_function(f"() => ({_VALUES})().steps === {OWN['steps']}")
    editor.set_widget("pack", "of another machine", node_prefix="MotionRAGFindMotion")
    editor.page.wait_for_function(f"() => ({_VALUES})().steps === 0")
    assert "steps (0: the model's own)" in editor.page.evaluate(_DRAWN)
    editor.set_widget("pack", "tiny", node_prefix="MotionRAGFindMotion")
    editor.page.wait_for_function(f"() => ({_VALUES})().steps === {OWN['steps']}")
    assert "steps" in editor.page.evaluate(_DRAWN)


def test_a_folded_input_is_shown_where_a_workflow_sets_it(editor: Editor) -> None:
    editor.open_template("animate_picture_simple")
    assert "fps" not in editor.page.evaluate(_DRAWN)
    editor.page.evaluate(f"() => {{ {_GENERATE}.widgets.find(widget => widget.name === 'fps').value = 12 }}")
    editor.page.evaluate("async () => { await window.app.loadGraphData(window.app.graph.serialize()) }")
    assert "fps" in editor.page.evaluate(_DRAWN)


def test_compare_motions_shows_the_model_s_own_steps_and_no_prompts_that_it_does_not_read(editor: Editor) -> None:
    editor.open_template("compare_motions")
    compare = "window.app.graph.nodes.find(node => node.type === 'MotionRAGCompareMotions')"
    values = f"{compare}.widgets.filter(widget => {compare}.isWidgetVisible(widget)).map(w => [w.name, w.value])"
    editor.page.wait_for_function(f"() => Object.fromEntries({values}).steps === {OWN['steps']}")
    assert not {"prompt", "negative_prompt"} & set(editor.page.evaluate(f"() => Object.fromEntries({values})"))
    inputs = [n["inputs"] for n in editor.exported().values() if n["class_type"] == "MotionRAGCompareMotions"]
    assert inputs[0]["steps"] == 0 and inputs[0]["prompt"] == ""

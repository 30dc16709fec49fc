"""Generate Video in the editor: the model's own values are seen, and saved as what they stand for; rare inputs fold."""

from __future__ import annotations

from typing import Any

import pytest

from editor_pictures.editor import Editor

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]

_GENERATE = "window.app.graph.nodes.find(node => node.type === 'MotionRAGGenerateVideo')"
_VALUES = f"() => Object.fromEntries({_GENERATE}.widgets.map(widget => [widget.name, widget.value]))"
_SEEN = (
    f"""() => {_GENERATE}.widgets.filter(widget => {_GENERATE}.isWidgetVisible(widget)).map(widget => widget.name)"""
)
# As the packaged pack was trained.
OWN = {"steps": 20, "frame_count": 8, "fps": 4, "width": 64, "min_guidance": 1.5, "motion_bucket_id": 127}


def _generate(editor: Editor) -> dict[str, Any]:
    nodes = editor.exported().values()
    inputs: dict[str, Any] = next(n["inputs"] for n in nodes if n["class_type"] == "MotionRAGGenerateVideo")
    return inputs


def test_settings_that_are_not_set_are_shown_as_the_model_s_own_and_kept_as_not_set(editor: Editor) -> None:
    editor.open_template("animate_picture_simple")
    editor.page.wait_for_function(f"() => ({_VALUES})().steps === 20")
    shown = editor.page.evaluate(_VALUES)
    assert {name: shown[name] for name in OWN} == OWN
    exported = _generate(editor)
    assert {name: exported[name] for name in OWN} == {name: -1 if name == "motion_bucket_id" else 0 for name in OWN}
    saved = editor.page.evaluate(f"() => {_GENERATE}.serialize().widgets_values")
    assert 20 not in saved and 127 not in saved
    editor.set_widget("steps", 7)
    assert _generate(editor)["steps"] == 7
    editor.set_widget("steps", 0)
    editor.page.wait_for_function(f"() => ({_VALUES})().steps === 20")


def test_rare_inputs_are_folded_and_shown_where_a_workflow_sets_them(editor: Editor) -> None:
    editor.open_template("animate_picture_simple")
    seen = editor.page.evaluate(_SEEN)
    assert {"seed", "strength", "steps", "prompt"} <= set(seen)
    assert not {"start", "decode_chunk_size", "negative_prompt"} & set(seen)
    editor.page.evaluate(f"() => {{ {_GENERATE}.widgets.find(widget => widget.name === 'fps').value = 12 }}")
    editor.page.evaluate("async () => { await window.app.loadGraphData(window.app.graph.serialize()) }")
    assert "fps" in editor.page.evaluate(_SEEN)

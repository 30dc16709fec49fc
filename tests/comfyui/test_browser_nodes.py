"""Nodes on the page: a report is read in its node, a prompt leaves room for the clips."""

from __future__ import annotations

import pytest

from editor_pictures.editor import Editor

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]


def test_a_report_is_read_in_the_node_and_is_no_input(editor: Editor) -> None:
    editor.new_workflow()
    editor.add_node("MotionRAGDoctor")
    before = editor.exported()
    editor.run()
    shown = "() => window.app.graph.nodes[0].widgets.find(w => w.name === 'motionrag_report')?.value ?? ''"
    editor.page.wait_for_function(f"() => ({shown})().includes('tiny: loads')")
    assert "no problem" in editor.page.evaluate(shown)
    assert editor.exported() == before
    assert editor.page.evaluate("() => window.app.graph.serialize().nodes[0].widgets_values") == [False]


def test_a_prompt_leaves_the_room_of_the_node_to_the_clips(editor: Editor) -> None:
    editor.new_workflow()
    editor.add_node("MotionRAGFindMotion")
    heights = "() => window.app.graph.nodes[0].widgets.filter(w => w.name === 'prompt').map(w => w.computedHeight)"
    editor.page.evaluate("() => { window.app.graph.nodes[0].setSize([500, 900]); window.app.canvas.draw(true, true) }")
    editor.page.wait_for_function(f"() => ({heights})()[0] > 0")
    assert editor.page.evaluate(heights)[0] < 120

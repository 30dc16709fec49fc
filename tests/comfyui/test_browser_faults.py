"""One mistake gives one message, on the input that is wrong: read in the dialog that the editor opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from editor_pictures.editor import Editor

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]

FIND, ADVANCED, INDEX = "animate_picture_simple", "image_to_video_with_motion", "index_my_videos"
# template, node, input, value -> what is said, and by the remedy.
WRONG = [
    (
        FIND,
        "MotionRAGFindMotion",
        "database",
        "winter",
        "Expected the motion database 'winter'",
        "press R in the editor",
    ),
    (FIND, "MotionRAGFindMotion", "pack", "huge", "Expected the motion pack 'huge'", "motionrag"),
    (FIND, "MotionRAGFindMotion", "weights", "skier much", "Expected NAME: WEIGHT in line 1", "write for instance"),
    (ADVANCED, "MotionRAGRetrieveNeighbours", "mode", "smell", "mode is 'smell'", "choose one of: prompt"),
    (ADVANCED, "MotionRAGLoadVideoModel", "precision", "int4", "precision is 'int4'", "choose one of: auto"),
    (INDEX, "MotionRAGIndexFolder", "folder", "nowhere", "Expected the folder of videos 'nowhere'", "press R"),
    (INDEX, "MotionRAGIndexFolder", "name", "../out", "Expected a name for the database", "choose another"),
]


@pytest.mark.parametrize(
    ("template", "node", "name", "value", "said", "remedy"), WRONG, ids=lambda part: str(part)[:24]
)
def test_a_wrong_input_is_told_once_and_marked(
    editor: Editor, screenshots: Path, template: str, node: str, name: str, value: Any, said: str, remedy: str
) -> None:
    editor.open_template(template)
    editor.set_widget(name, value, node_prefix=node)
    with pytest.raises(AssertionError, match="the run was refused"):
        editor.run()
    # A dialog in 1.32; later editors say that a value was rejected, and the node says why.
    shown = editor.page.get_by_role("dialog").or_(editor.page.get_by_role("alert")).filter(has_text=said)
    shown.first.wait_for()
    text = editor.page.locator("body").inner_text()
    editor.screenshot(screenshots / "faults" / f"{node}.{name}.png")
    assert text.count(said) == 1 and remedy in text
    blamed = editor.page.evaluate(
        "() => window.app.graph.nodes.flatMap(n => (n.inputs ?? []).filter(i => i.hasErrors).map(i => i.name))"
    )
    assert blamed == [name]
    # The console tells of the refusal, as it should.
    assert all("400 (Bad Request)" in one or "PromptExecutionError" in one for one in editor.complaints)
    editor.complaints.clear()
    editor.page.keyboard.press("Escape")
    editor.page.get_by_role("dialog").filter(has_text=said).wait_for(state="detached")


def test_what_goes_wrong_in_a_run_is_told_with_its_remedy(editor: Editor, screenshots: Path) -> None:
    editor.open_template(ADVANCED)
    editor.set_widget("weights", "nobody: 2", node_prefix="MotionRAGRetrieveNeighbours")
    with pytest.raises(AssertionError, match="Expected the weight of a clip, received nobody"):
        editor.run()
    shown = editor.page.get_by_role("dialog").or_(editor.page.get_by_role("alert"))
    shown.filter(has_text="names are ids, file names or stems").first.wait_for()
    editor.screenshot(screenshots / "faults" / "in the run.png")
    editor.complaints.clear()
    editor.page.keyboard.press("Escape")

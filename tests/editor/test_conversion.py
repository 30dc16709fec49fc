"""The conversion against ComfyUI's own editor, workflow by workflow."""

from __future__ import annotations

from motionrag_nodes.batch_render.conversion.convert import convert_workflow
from motionrag_nodes.batch_render.conversion.editor_page import FirstAlternative, differences
from motionrag_nodes.batch_render.errors import ConversionError
from tests.editor.asking import answers, as_truth, corpus
from tests.editor.conftest import ServerWithEditor
from tests.motionrag_nodes.batch_render.conversion.corpus import Truth, stored_truths


def test_every_workflow_gives_what_the_editor_sends(server: ServerWithEditor) -> None:
    different: dict[str, list[str]] = {}
    changed: list[str] = []
    stored = stored_truths()
    count = 0
    for case, export in answers(server, list(corpus(server))):
        count += 1
        truth, known = as_truth(export), stored.get(case.name, Truth("none"))
        if (truth.kind, truth.digest) != (known.kind, known.digest) and "%date" not in str(case.workflow):
            changed.append(case.name)
        if export.prompt is None or export.lacks_classes:
            continue  # what becomes of those is tested with the stored truths
        try:
            ours = convert_workflow(case.workflow, case.object_info, now=export.time, chance=FirstAlternative())
        except ConversionError as error:
            different[case.name] = [f"refused: {error}"]
        else:
            lines = differences(ours, export.prompt)
            different.update({case.name: lines} if lines else {})
    assert count >= 150
    assert different == {}
    assert changed == [], "store the new answers: python -m tests.editor.write_truths"

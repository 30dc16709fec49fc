"""ComfyUI's own templates, converted for the real server, against stored answers of its editor."""

from __future__ import annotations

import pytest

from motionrag_nodes.batch_render.conversion.convert import convert_workflow
from motionrag_nodes.batch_render.conversion.editor_page import FirstAlternative
from motionrag_nodes.batch_render.errors import ConversionError
from tests.comfyui.conftest import RunningComfyUI
from tests.motionrag_nodes.batch_render.conversion.corpus import digest, stored_truths, templates

pytestmark = pytest.mark.comfyui


def test_templates_give_what_the_editor_sends(comfyui: RunningComfyUI) -> None:
    truths, different, same = stored_truths(), [], 0
    for name, workflow in templates():
        truth = truths[f"template {name}"]
        try:
            prompt = convert_workflow(
                workflow, comfyui.object_info, now=truth.now if truth.time else None, chance=FirstAlternative()
            )
        except ConversionError as error:
            # Templates for classes of other companies' services, which the server leaves out.
            if truth.kind != "lacks classes" or "nodes that this ComfyUI has" not in str(error):
                different.append(f"{name}: {error}")
            continue
        if digest(prompt) == truth.digest:
            same += 1
        else:
            different.append(name)
    assert different == []
    assert same >= 100

"""ComfyUI's own templates and blueprints, converted for the real server, against stored answers of its editor."""

from __future__ import annotations

import pytest

from motionrag_nodes.batch_render.conversion.convert import convert_workflow
from motionrag_nodes.batch_render.conversion.editor_page import FirstAlternative
from motionrag_nodes.batch_render.errors import ConversionError
from tests.comfyui.conftest import RunningComfyUI
from tests.motionrag_nodes.batch_render.conversion.corpus import digest, packaged_cases, stored_truths

pytestmark = pytest.mark.comfyui


def test_templates_and_blueprints_give_what_the_editor_sends(comfyui: RunningComfyUI) -> None:
    if not comfyui.server.install.from_package:
        pytest.skip("the stored answers are those of the packaged ComfyUI, with its nodes and templates")
    truths, different, same = stored_truths(), [], 0
    for case in packaged_cases(comfyui.object_info):
        truth = truths[case.name]
        try:
            prompt = convert_workflow(
                case.workflow, case.object_info, now=truth.now if truth.time else None, chance=FirstAlternative()
            )
        except ConversionError as error:
            if truth.kind != "lacks classes" or "nodes that this ComfyUI has" not in str(error):
                different.append(f"{case.name}: {error}")
            continue
        if digest(prompt) == truth.digest:
            same += 1
        else:
            different.append(case.name)
    assert different == []
    assert same >= 180  # with the package of blueprints 303

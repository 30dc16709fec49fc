"""Workflows against what ComfyUI's own editor made of them; `make test-editor` asks it again."""

from __future__ import annotations

import pytest

from motionrag_nodes.batch_render.conversion.convert import Prompt, convert_workflow
from motionrag_nodes.batch_render.conversion.editor_page import FirstAlternative
from motionrag_nodes.batch_render.errors import ConversionError
from tests.motionrag_nodes.batch_render.conversion.corpus import (
    Case,
    digest,
    random_cases,
    self_made,
    stored_truths,
)

_TRUTHS = stored_truths()
_SELF_MADE = {case.name: case for case in self_made()}
# The editor sends these with nodes that no server takes, or not at all; what is in them tells what is meant.
_UNDERSTOOD = {"label_only", "renamed", "virtual_nodes", "links_as_objects"}


def _converted(case: Case) -> Prompt:
    truth = _TRUTHS[case.name]
    now = truth.now if truth.time else None
    return convert_workflow(case.workflow, case.object_info, now=now, chance=FirstAlternative())


@pytest.mark.parametrize("name", sorted(_SELF_MADE))
def test_each_trap_gives_what_the_editor_sends(name: str) -> None:
    truth = _TRUTHS[name]
    if name in _UNDERSTOOD:
        assert truth.kind != "prompt"
        assert _converted(_SELF_MADE[name])
    elif truth.kind == "prompt":
        assert digest(_converted(_SELF_MADE[name])) == truth.digest
    else:
        with pytest.raises(
            ConversionError, match=r"Expected connections that ComfyUI can send|nodes that this ComfyUI has"
        ):
            _converted(_SELF_MADE[name])


def test_random_workflows_give_what_the_editor_sends() -> None:
    different, counted = [], 0
    for case in random_cases():
        truth = _TRUTHS[case.name]
        try:
            prompt = _converted(case)
            same = truth.kind == "prompt" and digest(prompt) == truth.digest
        except ConversionError:
            same = truth.kind == "refused"
        counted += truth.kind == "prompt"
        different += [] if same else [case.name]
    assert different == []
    assert counted >= 110


def test_what_the_editor_only_knows_is_followed() -> None:
    prompt = _converted(_SELF_MADE["virtual_nodes"])
    assert set(prompt) == {"1", "4"}
    assert prompt["4"]["inputs"]["images"] == ["1", 0]
    assert set(_converted(_SELF_MADE["label_only"])) == {"1", "4"}


def test_classes_that_go_by_another_name_now_are_found() -> None:
    prompt = _converted(_SELF_MADE["renamed"])
    assert prompt["1"]["class_type"] == "ConditioningAverage"
    assert prompt["1"]["inputs"] == {"conditioning_to_strength": 0.3}


def test_links_may_be_saved_as_objects_in_any_version() -> None:
    assert _converted(_SELF_MADE["links_as_objects"])["2"]["inputs"]["images"] == ["1", 0]

"""Comparing with the editor; the page itself is opened in tests/comfyui and tests/editor."""

from __future__ import annotations

import random

import pytest

from motionrag_nodes.batch_render.conversion.editor_page import (
    EditorExport,
    FirstAlternative,
    differences,
    open_editor_page,
)
from motionrag_nodes.batch_render.errors import EditorPageError


def test_differences_are_named() -> None:
    ours = {
        "1": {"class_type": "A", "inputs": {"x": 1, "same": [2]}, "_meta": {"title": "ours"}},
        "2": {"class_type": "B", "inputs": {}},
    }
    editors = {
        "1": {"class_type": "A", "inputs": {"x": True, "same": [2], "y": "long"}, "_meta": {"title": "theirs"}},
        "3": {"class_type": "C", "inputs": {}},
    }
    assert differences(ours, editors) == [
        "node 1 (A), x: 1, in the editor true",
        'node 1 (A), y: "(nothing)", in the editor "long"',
        "node 3 (C): only the editor sends it",
        "node 2 (B): only the conversion sends it",
    ]
    assert differences(ours, ours) == []


def test_nodes_that_the_server_lacks_are_told() -> None:
    assert EditorExport(prompt={"1": {"inputs": {}}}).lacks_classes
    assert not EditorExport(prompt={"1": {"class_type": "A", "inputs": {}}}).lacks_classes
    assert not EditorExport(prompt=None).lacks_classes


def test_the_first_alternative_is_no_chance() -> None:
    chance: random.Random = FirstAlternative()
    assert {chance.choice(["a", "b", "c"]) for _ in range(20)} == {"a"}


def test_without_a_browser_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with (
        pytest.raises(EditorPageError, match="Expected Chromium to open the editor with, found none"),
        open_editor_page("http://127.0.0.1:9"),
    ):
        pass

"""What goes wrong while a node runs is told in Chinese as well: every error that users can meet, read from the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.comfyui.chinese import CHINESE, in_chinese, messages
from tests.test_errors import FILLED, OURS, ROOT, name_of, nodes_of, text_of

# The stages that nodes call.
STAGES = [ROOT / "motionrag_nodes" / name for name in ("neighbours", "adapted_tokens", "attention", "frames", "nodes")]
FILES = [path for stage in STAGES for path in sorted(stage.rglob("*.py"))]
# What no node can be made to do: values of other shapes, names and numbers that its widgets do not offer, and what only
# the command line asks for.
OUT_OF_REACH = {"ShapeMismatch", "GenerationInterrupted", "CalibrationInvalid"}
ONLY_PROGRAMS = {"like.py", "placement.py", "strengths.py", "contact_sheet.py"}
NO_CHOICE = ("Expected a mode of", "Expected an image uint8", "Expected top_k", "Expected min_score", "Expected ignore")
NO_CHOICE += ("Expected diversity", "Expected a kind of", "Expected a fit of", "Expected a preset of")
NO_CHOICE += ("Expected a fusion of", "Expected one of the adapter's", "Expected a folder or name of a video model")


def _said() -> Iterator[tuple[Path, str]]:
    for path in FILES:
        for node in nodes_of(path):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call) or not node.exc.args:
                continue
            kind, text = name_of(node.exc.func), text_of(node.exc.args[0])
            if kind in OURS - OUT_OF_REACH and text and path.name not in ONLY_PROGRAMS:
                if not text.startswith(NO_CHOICE):
                    yield path, text.replace(FILLED, "'7'")


def test_every_error_of_a_node_is_known_in_chinese() -> None:
    missing = [f"{path.name}: {said}" for path, said in _said() if not CHINESE.search(in_chinese(said))]
    assert missing == [], "add these to locales/zh/main.json"


def test_no_message_hides_another() -> None:
    """Each is found by its own words, whatever stands before it."""
    for english, own in messages().items():
        filled = english.replace("{", "<").replace("}", ">")
        assert in_chinese(filled) == own.replace("{", "<").replace("}", ">"), english

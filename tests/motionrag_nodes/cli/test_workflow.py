"""The command `motionrag workflow convert`, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.motionrag_nodes.batch_render.graphs import object_info, text_to_image, ui_node, write_workflow


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    path = tmp_path / "object_info.json"
    path.write_text(json.dumps(object_info()))
    return path


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "motionrag_nodes.cli.main", "workflow", "convert", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "300", "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_prompt_is_printed_or_written(tmp_path: Path, classes: Path) -> None:
    workflow = write_workflow(tmp_path / "w.json", text_to_image())
    printed = _run(workflow, "--object-info", classes)
    assert printed.returncode == 0, printed.stderr
    prompt = json.loads(printed.stdout)
    assert prompt["3"]["inputs"]["positive"] == ["6", 0]
    written = _run(workflow, "--object-info", classes, "--output", tmp_path / "prompt.json")
    assert written.returncode == 0 and written.stdout == "" and "7 nodes in" in written.stderr
    assert json.loads((tmp_path / "prompt.json").read_text()) == prompt


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--object-info", "nowhere.json"), "Expected a server's classes in nowhere.json"),
        (("--object-info", "x.json", "--check"), "Expected no server beside --object-info"),
        (("--server", "http://127.0.0.1:9"), "127.0.0.1:9"),
    ],
)
def test_bad_input_ends_with_a_message_and_code_2(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = _run(write_workflow(tmp_path / "w.json", text_to_image()), *arguments)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr


def test_what_is_not_decided_is_refused_by_name(tmp_path: Path, classes: Path) -> None:
    data = text_to_image()
    data["nodes"].append(ui_node(30, "GetNode", outputs=["LATENT"], widgets=["nowhere"]))
    data["links"].append([40, 30, 0, 8, 0, "LATENT"])
    next(node for node in data["nodes"] if node["id"] == 8)["inputs"][0]["link"] = 40
    done = _run(write_workflow(tmp_path / "w.json", data), "--object-info", classes)
    assert done.returncode == 2
    assert (
        "Node 30 (GetNode): Expected a node beside it that sets 'nowhere'" in done.stderr
        and '"Export (API)"' in done.stderr
    )

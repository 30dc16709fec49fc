"""`motionrag workflow convert --check`, with the page of the ComfyUI that runs here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.comfyui.conftest import RunningComfyUI

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]


def test_the_editor_sends_the_same(
    comfyui: RunningComfyUI, page_of_the_session: object, workflows: Path, tmp_path: Path
) -> None:
    file, output = workflows / "image_to_video_with_motion.json", tmp_path / "prompt.json"
    command = [sys.executable, "-m", "motionrag_nodes.cli.main", "workflow", "convert", str(file), "--check"]
    command += ["--server", comfyui.url, "--output", str(output)]
    environment = os.environ | {"COLUMNS": "300", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "The editor sends the same" in done.stderr
    assert any(node["class_type"] == "MotionRAGGenerateVideo" for node in json.loads(output.read_text()).values())

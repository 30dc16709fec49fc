"""The entry that ComfyUI runs when the checkout lies in custom_nodes, under whatever name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PROGRAM = """
import importlib.util, json, sys
before = list(sys.path)
spec = importlib.util.spec_from_file_location(sys.argv[1], sys.argv[1] + "/__init__.py")
entry = importlib.util.module_from_spec(spec)
spec.loader.exec_module(entry)
heavy = [name for name in ("torch", "numpy", "motionrag_nodes") if name in sys.modules]
entry._make_packages_importable()
entry._make_packages_importable()
import motionrag_nodes, index_builder
print(json.dumps({"heavy": heavy, "added": sys.path[len(before):], "start": sys.path[:len(before)] == before,
                  "web": entry.WEB_DIRECTORY, "file": motionrag_nodes.__file__}))
"""


@pytest.mark.parametrize("name", ["motionrag", "ComfyUI-MotionRAG", "motion rag.v1"])
def test_any_folder_name_light_and_last_on_the_path(tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    link.symlink_to(CHECKOUT)
    # -S: without site-packages, as on a machine where the packages are not installed.
    command = [sys.executable, "-S", "-c", PROGRAM, str(link)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, text=True).stdout)
    assert said["heavy"] == []
    assert said["start"]
    assert said["added"] == [str(CHECKOUT)]
    assert (CHECKOUT / said["web"] / "docs").is_dir()
    assert Path(said["file"]).is_relative_to(CHECKOUT)

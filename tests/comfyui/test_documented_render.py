"""The documents' own examples of `motionrag render`, run as they are written until their files are there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from motionrag_nodes.cli.render import render
from tests.comfyui.conftest import RunningComfyUI, frame
from tests.test_documents import ROOT, commands_of

pytestmark = pytest.mark.comfyui

app = typer.Typer()
app.command()(render)


@pytest.fixture
def folder(workflows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the README says is in it: its table, and pictures of those names."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^    (name,LoadImage\.image.*\n)((?:    .+\n)+)", text, re.M)
    assert found is not None
    table = [found.group(1), *(line.strip() + "\n" for line in found.group(2).splitlines())]
    (tmp_path / "jobs.csv").write_text("".join(table), encoding="utf-8")
    for number, name in enumerate(("pictures/cat.png", "pictures/dog.png", "photo.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(frame((230, 60 * number, 40), 20, 24)).save(tmp_path / name)
    shutil.copytree(workflows, tmp_path / "workflows")
    shutil.copyfile(workflows / "image_to_video_with_motion.json", tmp_path / "workflow.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readme_s_example_makes_videos(folder: Path) -> None:
    """With a ComfyUI that the command starts by itself, which finds pack and database by itself."""
    plan, real = [command for command in commands_of(ROOT / "README.md") if command[:2] == ["motionrag", "render"]]
    assert [*real, "--dry-run"] == plan
    result = CliRunner().invoke(app, real[2:])
    assert result.exit_code == 0, result.stderr
    for name in ("cat", "dog"):
        assert [path.stat().st_size > 1000 for path in (folder / "renders" / name).glob("*.mp4")] == [True]
    assert "dog" in (folder / "renders" / "gallery.html").read_text(encoding="utf-8")


def test_the_examples_of_docs_are_accepted(comfyui: RunningComfyUI, folder: Path) -> None:
    """All that name no server, checked to the end on the one that runs here."""
    written = [
        command for command in commands_of(ROOT / "docs" / "rendering.md") if command[:2] == ["motionrag", "render"]
    ]
    here = [command for command in written if "--queue" not in command and "--export-openjd" not in command]
    assert len(here) >= 3
    for command in here:
        extra = [] if "--dry-run" in command else ["--dry-run"]
        result = CliRunner().invoke(app, [*command[2:], *extra, "--server", comfyui.url])
        assert result.exit_code == 0, result.stderr
        assert "Nothing was queued" in result.stderr or json.loads(result.stdout)["dry_run"]

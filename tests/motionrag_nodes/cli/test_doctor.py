"""`motionrag doctor`: lines for people, JSON for programs, exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from motionrag_nodes.batch_render.errors import ComfyUINotFound
from motionrag_nodes.cli.main import app
from motionrag_nodes.doctor import examine as module
from motionrag_nodes.doctor.findings import ok, problem


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list:
    """What the examination finds; the examination itself has its own tests."""
    found = [ok("machine", "disk", "1 GiB [free]")]
    monkeypatch.setattr(module, "examine", lambda surroundings: iter(found))
    return found


def test_well(findings: list) -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "ok      disk: 1 GiB [free]" in result.stdout and "no problem, 0 warnings" in result.stdout


def test_a_problem_is_exit_code_1_and_shows_its_remedy(findings: list) -> None:
    findings.append(problem("packs", "tiny", "is torn", "copy it again"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1 and "problem tiny: is torn" in result.stdout and "-> copy it again" in result.stdout
    as_json = CliRunner().invoke(app, ["doctor", "--json"])
    report = json.loads(as_json.stdout)
    assert as_json.exit_code == 1 and report["counts"]["problem"] == 1
    assert report["findings"][1]["remedy"] == "copy it again"


def test_a_folder_that_is_no_comfyui(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--comfyui", str(tmp_path)])
    assert isinstance(result.exception, ComfyUINotFound)

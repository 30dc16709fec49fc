"""The command: exit codes, the report for programs, messages for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from motionrag_nodes.batch_render.errors import JobTableError, RenderError, WorkflowFileError
from motionrag_nodes.cli.render import render
from tests.motionrag_nodes.batch_render.graphs import picture_to_picture, write_workflow
from tests.motionrag_nodes.batch_render.tiny_comfyui import TinyComfyUI

app = typer.Typer()
app.command()(render)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TinyComfyUI]:
    folder = tmp_path / "server"
    folder.mkdir()
    with TinyComfyUI(folder) as running:
        yield running


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    return write_workflow(tmp_path / "invert.json", picture_to_picture())


def _arguments(workflow: Path, server: TinyComfyUI, *more: str) -> list[str]:
    return [str(workflow), "--server", server.url, "--output", str(workflow.parent / "out"), *more]


def test_a_report_for_programs(server: TinyComfyUI, workflow: Path) -> None:
    result = CliRunner().invoke(app, _arguments(workflow, server, "--json", "--set", "3.filename_prefix=a=b"))
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["counts"] == {"done": 1}
    assert report["jobs"][0]["values"] == {"3.filename_prefix": "a=b"}


def test_a_table_for_people(server: TinyComfyUI, workflow: Path) -> None:
    result = CliRunner().invoke(app, _arguments(workflow, server))
    assert result.exit_code == 0
    assert "invert/Result_1.txt" in result.stderr
    assert result.stdout == ""


def test_a_failed_job_is_exit_code_1_with_its_reason(server: TinyComfyUI, workflow: Path) -> None:
    result = CliRunner().invoke(app, _arguments(workflow, server, "--set", "3.filename_prefix=node-error"))
    assert result.exit_code == 1
    assert "No picture came" in result.stderr


def test_bad_input_is_an_expected_error_before_anything_is_started(workflow: Path, tmp_path: Path) -> None:
    cases: list[tuple[list[str], type[Exception], str]] = [
        ([str(tmp_path / "none.json")], WorkflowFileError, "Expected a workflow at"),
        ([str(workflow), "--jobs", str(tmp_path / "none.csv")], JobTableError, "Expected a job table at"),
        ([str(workflow), "--server", "x", "--comfyui", "y"], RenderError, "received both: give one kind"),
    ]
    for arguments, kind, message in cases:
        result = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "out")])
        assert isinstance(result.exception, kind), result.exception
        assert message in str(result.exception)

"""The template for farms: valid by Open Job Description's own model, and its tasks render the batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.cli.render import render
from tests.motionrag_nodes.batch_render.graphs import picture_to_picture, write_workflow
from tests.motionrag_nodes.batch_render.tiny_comfyui import TinyComfyUI

app = typer.Typer()
app.command()(render)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TinyComfyUI]:
    (tmp_path / "server").mkdir()
    with TinyComfyUI(tmp_path / "server") as running:
        yield running


def _export(folder: Path, *more: str) -> Path:
    workflow, table = write_workflow(folder / "invert.json", picture_to_picture()), folder / "jobs.csv"
    table.write_text("name,3.filename_prefix\na,first\nb,second\nc,third\n")
    template = folder / "farm.template.json"
    arguments = [str(workflow), "--jobs", str(table), "--output", str(folder / "out"), *more]
    result = CliRunner().invoke(app, [*arguments, "--export-openjd", str(template)])
    if result.exception is not None:
        raise result.exception
    assert not (folder / "out").exists()
    return template


def test_the_tasks_of_a_farm_render_the_whole_batch(server: TinyComfyUI, tmp_path: Path) -> None:
    model = pytest.importorskip("openjd.model", reason="needs openjd-model")
    path = _export(tmp_path, "--server", server.url, "--set", "Picture.image=example.png")
    template = model.decode_job_template(template=json.loads(path.read_text()))
    given = model.preprocess_job_parameters(
        job_template=template,
        job_parameter_values={"Parts": "2", "Output": str(tmp_path / "elsewhere")},
        job_template_dir=tmp_path,
        current_working_dir=tmp_path,
    )
    job = model.create_job(job_template=template, job_parameter_values=given)
    (step,) = job.steps
    action = step.script.actions.onRun
    assert str(action.command) == "motionrag"
    values = {f"Param.{name}": str(value.value) for name, value in given.items()}
    tasks = list(model.StepParameterSpaceIterator(space=step.parameterSpace))
    assert len(tasks) == 2
    for task in tasks:
        symbols = model.SymbolTable(source={**values, "Task.Param.Part": task["Part"].value})
        words = [str(word.resolve(symtab=symbols)) for word in action.args]
        assert words[0] == "render"
        assert CliRunner().invoke(app, words[1:]).exit_code == 0
    made = sorted(str(file.relative_to(tmp_path / "elsewhere")) for file in (tmp_path / "elsewhere").rglob("*_1.txt"))
    assert made == ["1/a/Result_1.txt", "1/c/Result_1.txt", "2/b/Result_1.txt"]


@pytest.mark.parametrize(
    "more", [["--server", "http://u:geheim@host"], ["--server", "host?token=geheim"], ["--header", "a: geheim"]]
)
def test_a_template_holds_no_secret(tmp_path: Path, more: list[str]) -> None:
    with pytest.raises(RenderError, match="a template is a file that others read") as caught:
        _export(tmp_path, *more)
    assert "geheim" not in str(caught.value)


def test_values_that_a_template_would_read_otherwise_are_refused(tmp_path: Path) -> None:
    for value in (
        "3.filename_prefix={{Param.Output}}",
        "3.filename_prefix=two\nlines",
        "3.filename_prefix=" + "x" * 2048,
    ):
        with pytest.raises(RenderError, match="Expected values of one line"):
            _export(tmp_path, "--set", value)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "farm.template.json").mkdir()
    with pytest.raises(RenderError, match=r"Expected to write .*farm\.template\.json"):
        _export(tmp_path)

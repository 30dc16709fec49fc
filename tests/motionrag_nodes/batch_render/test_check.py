"""The check of a batch, and its plan, against a small real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import BatchRefused, NodeValueError, RenderError
from motionrag_nodes.batch_render.request import RenderRequest
from motionrag_nodes.batch_render.results.names import NameTemplate
from motionrag_nodes.batch_render.run import plan_batch
from motionrag_nodes.batch_render.server.access import parse_access
from motionrag_nodes.batch_render.server.target import Target
from tests.motionrag_nodes.batch_render.graphs import picture_to_picture, write_workflow
from tests.motionrag_nodes.batch_render.rendering import render_on
from tests.motionrag_nodes.batch_render.tiny_comfyui import TinyComfyUI


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TinyComfyUI]:
    (tmp_path / "server").mkdir()
    with TinyComfyUI(tmp_path / "server") as running:
        yield running


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    return write_workflow(tmp_path / "invert.json", picture_to_picture())


def test_a_missing_picture_is_found_before_the_first_job(server: TinyComfyUI, tmp_path: Path) -> None:
    graph = picture_to_picture()
    graph["nodes"][0]["widgets_values"][0] = "gone.png"
    path = write_workflow(tmp_path / "w.json", graph)
    with pytest.raises(BatchRefused, match=r"node 1 \(Picture\): image is 'gone\.png': expected a file beside"):
        render_on(server.url, path, tmp_path / "out")
    assert server.queued == []
    server.inputs["gone.png"] = b"found"
    assert not render_on(server.url, path, tmp_path / "out").failed


def test_a_picture_that_changes_on_the_server_is_rendered_again(server: TinyComfyUI, workflow: Path) -> None:
    output = workflow.parent / "out"
    render_on(server.url, workflow, output)
    assert render_on(server.url, workflow, output).skipped == ("invert",)
    server.inputs["example.png"] = b"another"
    assert render_on(server.url, workflow, output).skipped == ()
    assert len(server.queued) == 2


def test_all_wrong_rows_are_told_at_once(server: TinyComfyUI, workflow: Path) -> None:
    table = workflow.parent / "jobs.csv"
    table.write_text("name,Picture.image\na,no.png\nb,example.png\nc,none.png\n")
    with pytest.raises(NodeValueError, match=r"(?s)line 2: .*'no\.png'.*line 4: .*'none\.png'"):
        render_on(server.url, workflow, workflow.parent / "out", table=table)


def test_a_plan_queues_and_writes_nothing(server: TinyComfyUI, workflow: Path) -> None:
    output, targets = workflow.parent / "out", [Target(parse_access(server.url))]
    plan = plan_batch(RenderRequest([workflow], output), targets)
    assert (plan.jobs[0].name, plan.jobs[0].done, plan.estimate_sec) == ("invert", False, None)
    assert plan.jobs[0].servers == (server.url,)
    assert server.queued == []
    assert not output.exists()
    render_on(server.url, workflow, output)
    again = plan_batch(RenderRequest([workflow], output), targets)
    assert (again.jobs[0].done, again.estimate_sec) == (True, 0.0)
    forced = plan_batch(RenderRequest([workflow], output, force=True), targets)
    assert forced.estimate_sec is not None
    assert forced.estimate_sec > 0
    assert json.loads(json.dumps(forced.as_dict()))["counts"] == {"jobs": 1, "done": 0, "to_render": 1}


def test_a_template_that_mixes_nodes_is_refused_before_the_first_job(server: TinyComfyUI, workflow: Path) -> None:
    with pytest.raises(RenderError, match=r"the same names: add \{node\} or \{id\}"):
        render_on(server.url, workflow, workflow.parent / "out", template=NameTemplate("{job}_{n}.{ext}"))
    assert server.queued == []

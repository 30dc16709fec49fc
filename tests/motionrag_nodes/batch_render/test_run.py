"""Batches against a small real server: results, resuming, and every kind of failure."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from motionrag_nodes.batch_render.errors import ComfyUIConnectionError, RenderError, RenderManifestError
from motionrag_nodes.batch_render.run import RenderReport, SilentObserver
from motionrag_nodes.batch_render.server import client as comfyui_client
from motionrag_nodes.batch_render.server.install import checkout_folder
from tests.motionrag_nodes.batch_render.graphs import picture_to_picture, write_workflow
from tests.motionrag_nodes.batch_render.rendering import render_on
from tests.motionrag_nodes.batch_render.tiny_comfyui import VERSION, TinyComfyUI


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TinyComfyUI]:
    folder = tmp_path / "server"
    folder.mkdir()
    with TinyComfyUI(folder) as running:
        yield running


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    return write_workflow(tmp_path / "invert.json", picture_to_picture())


def _render(server: TinyComfyUI, workflow: Path, *, rows: str | None = None, **options: Any) -> RenderReport:
    table = None
    if rows is not None:
        table = workflow.parent / "jobs.csv"
        table.write_text(rows)
    output = workflow.parent / "results"
    return render_on(server.url, workflow, output, table=table, **options)


def _manifest(workflow: Path) -> dict[str, Any]:
    data = json.loads((workflow.parent / "results" / "manifest.json").read_text())
    assert data["format"] == "motionrag-render"
    return {job["name"]: job for job in data["jobs"]}


def test_results_are_collected_with_what_made_them(server: TinyComfyUI, workflow: Path) -> None:
    report = _render(server, workflow, assignments=["Result.filename_prefix=cat"])
    assert not report.failed
    job = _manifest(workflow)["invert"]
    assert (job["status"], job["comfyui_version"], job["values"]) == (
        "done",
        VERSION,
        {"Result.filename_prefix": "cat"},
    )
    shown, saved = job["outputs"]
    assert (saved["file"], saved["kind"], saved["node"], saved["title"]) == (
        "invert/Result_1.txt",
        "output",
        "3",
        "Result",
    )
    assert (shown["file"], shown["kind"]) == ("invert/Invert_Image_1.png", "preview")
    content = (workflow.parent / "results" / "invert/Result_1.txt").read_bytes()
    assert saved["sha256"] == hashlib.sha256(content).hexdigest()
    assert saved["size_bytes"] == len(content)
    assert job["shown"] == {"2": {"neighbours": [{"rank": 1}]}}
    assert set(job["node_seconds"]) == {"2", "3"}
    assert job["cached_nodes"] == ["1"]
    assert not list((workflow.parent / "results" / ".motionrag" / "parts").iterdir())


def test_a_second_run_repeats_nothing(server: TinyComfyUI, workflow: Path) -> None:
    _render(server, workflow)
    report = _render(server, workflow)
    assert report.skipped == ("invert",)
    assert not report.failed
    assert len(server.queued) == 1
    assert report.as_dict()["counts"] == {"skipped": 1}


@pytest.mark.parametrize("change", ["value", "file edited", "file gone", "version", "force"])
def test_what_changed_is_rendered_again(server: TinyComfyUI, workflow: Path, change: str) -> None:
    _render(server, workflow)
    result = workflow.parent / "results" / "invert/Result_1.txt"
    options: dict[str, Any] = {}
    if change == "value":
        options["assignments"] = ["3.filename_prefix=other"]
    elif change == "file edited":
        result.write_bytes(result.read_bytes()[::-1])
    elif change == "file gone":
        result.unlink()
    elif change == "version":
        server.version = "0.0.2-tiny"
    else:
        options["force"] = True
    report = _render(server, workflow, **options)
    assert (report.skipped, report.failed, len(server.queued)) == ((), (), 2)
    assert result.is_file()


def test_local_pictures_are_uploaded_once(server: TinyComfyUI, workflow: Path) -> None:
    (workflow.parent / "cat.png").write_bytes(b"cat")
    _render(server, workflow, rows="Picture.image,3.filename_prefix\ncat.png,a\ncat.png,b\n")
    (name,) = server.uploads
    assert server.uploads[name] == b"cat"
    assert [graph["1"]["inputs"]["image"] for graph in server.queued] == [name, name]


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        (
            "node-error",
            r"node 2 \((ImageInvert|Invert Image)\) to run, but it failed; .*: No picture came\.",
        ),
        ("refuse", r"it refused\. Correct .*: node 3 \(Result\): Value not in list: sampler_name"),
        ("nothing", "Expected saved files of node 3"),
    ],
)
def test_a_failed_job_does_not_stop_the_others(server: TinyComfyUI, workflow: Path, prefix: str, message: str) -> None:
    report = _render(server, workflow, rows=f"name,3.filename_prefix\na,first\nb,{prefix}\nc,last\n")
    assert [record.status for record in report.records] == ["done", "failed", "done"]
    assert report.failed[0].name == "b"
    assert re.search(message, report.failed[0].error or "")
    assert _manifest(workflow)["b"]["status"] == "failed"
    again = _render(server, workflow, rows="name,3.filename_prefix\na,first\nb,mended\nc,last\n")
    assert (again.skipped, again.failed) == (("a", "c"), ())


def test_a_cut_websocket_is_opened_again(server: TinyComfyUI, workflow: Path) -> None:
    report = _render(server, workflow, assignments=["3.filename_prefix=drop"])
    assert not report.failed


def test_a_silent_server_is_asked_for_its_history(
    server: TinyComfyUI, workflow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comfyui_client, "_POLL_SEC", 0.05)
    server.step_sec = 0.01
    report = _render(server, workflow, assignments=["3.filename_prefix=silent"])
    assert not report.failed


def test_a_server_that_dies_leaves_the_rest_not_run(server: TinyComfyUI, workflow: Path) -> None:
    report = _render(server, workflow, rows="name,3.filename_prefix\na,first\nb,vanish\nc,last\n", patience_sec=0.5)
    assert [record.status for record in report.records] == ["done", "failed", "not run"]
    assert "but no answer came" in (report.records[1].error or "")
    assert "server was lost" in (report.records[2].error or "")
    assert (workflow.parent / "results" / "a" / "Result_1.txt").is_file()


def test_an_interrupted_run_cancels_on_the_server_and_says_so(server: TinyComfyUI, workflow: Path) -> None:
    class Impatient(SilentObserver):
        def steps(self, job: object, value: float, maximum: float) -> None:
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does

    server.step_sec = 10.0
    with pytest.raises(KeyboardInterrupt):
        _render(server, workflow, observer=Impatient())
    server.step_sec = 0.0
    assert len(server.cancelled) == 1
    assert _manifest(workflow)["invert"]["status"] == "interrupted"
    assert not _render(server, workflow).failed


def test_bad_values_queue_nothing(server: TinyComfyUI, workflow: Path) -> None:
    with pytest.raises(RenderError, match="line 3: Expected a node of the workflow, received 'Nowhere'"):
        _render(server, workflow, rows="Nowhere.x,3.filename_prefix\n,ok\n1,x\n")
    assert server.queued == []


def test_no_server(workflow: Path) -> None:
    with pytest.raises(
        ComfyUIConnectionError,
        match=r"Expected ComfyUI at http://127\.0\.0\.1:9, but no answer came.*Check that it runs",
    ):
        render_on("127.0.0.1:9", workflow, workflow.parent / "results")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ('{"format": "something"}', "Expected a render manifest of format"),
        (
            '{"format": "motionrag-render", "version": 99, "jobs": []}',
            "Expected version 1 of a render manifest in .*, found 99",
        ),
        ('{"format": "motionrag-render", "version": 1, "jobs": [{}]}', "cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_trusted(server: TinyComfyUI, workflow: Path, text: str, message: str) -> None:
    (workflow.parent / "results").mkdir()
    (workflow.parent / "results" / "manifest.json").write_text(text)
    with pytest.raises(RenderManifestError, match=message):
        _render(server, workflow)


def test_an_output_that_is_a_file(server: TinyComfyUI, workflow: Path) -> None:
    (workflow.parent / "results").write_text("in the way")
    with pytest.raises(RenderError, match=r"Expected an output folder that can be written at .*results"):
        _render(server, workflow)


def test_a_second_renderer_waits_for_the_first(server: TinyComfyUI, workflow: Path) -> None:
    class First(SilentObserver):
        def started(self, job: object) -> None:
            command = [
                sys.executable,
                "-m",
                "motionrag_nodes.cli.main",
                "render",
                str(workflow),
                "--server",
                server.url,
            ]
            command += ["--set", "3.filename_prefix=second", "--output", str(workflow.parent / "results")]
            self.other = subprocess.Popen(command, cwd=checkout_folder(), stderr=subprocess.PIPE, text=True)
            assert self.other.stderr is not None
            self.said = self.other.stderr.readline()

    first = First()
    assert not _render(server, workflow, observer=first).failed
    first.other.communicate(timeout=120)
    assert first.other.returncode == 0
    assert "Another render works in" in first.said
    assert [graph["3"]["inputs"]["filename_prefix"] for graph in server.queued] == ["out", "second"]

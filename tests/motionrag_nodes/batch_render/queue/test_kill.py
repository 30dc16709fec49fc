"""A renderer that is killed at any step, and a server that forgets, lose nothing and render nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from motionrag_nodes.batch_render.server.install import checkout_folder
from tests.motionrag_nodes.batch_render.graphs import picture_to_picture, write_workflow
from tests.motionrag_nodes.batch_render.rendering import render_on
from tests.motionrag_nodes.batch_render.tiny_comfyui import TinyComfyUI

TABLE = "name,3.filename_prefix\na,first\nb,second\nc,third\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TinyComfyUI]:
    (tmp_path / "server").mkdir()
    with TinyComfyUI(tmp_path / "server", step_sec=0.1) as running:
        yield running


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    (tmp_path / "jobs.csv").write_text(TABLE)
    return write_workflow(tmp_path / "invert.json", picture_to_picture())


# The renderer asks for the history after five seconds without an event.
LONGER_THAN_SILENCE_SEC = 8.0


class _Killer:
    """Kills a process when the server is asked for something for the n-th time."""

    def __init__(self, method: str, path: str, nth: int) -> None:
        self.method, self.path, self.left = method, path, nth
        self.process: subprocess.Popen[bytes] | None = None
        self.killed = False

    def __call__(self, method: str, path: str) -> None:
        if method == self.method and path.startswith(self.path):
            self.left -= 1
        if self.left == 0 and self.process is not None and not self.killed:
            self.killed = True
            os.kill(self.process.pid, signal.SIGKILL)


def _start(server: TinyComfyUI, workflow: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "motionrag_nodes.cli.main", "render", str(workflow), "--server", server.url]
    command += ["--jobs", str(workflow.parent / "jobs.csv"), "--output", str(workflow.parent / "out")]
    return subprocess.Popen(command, cwd=checkout_folder(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _finish(server: TinyComfyUI, workflow: Path) -> dict[str, str]:
    table = workflow.parent / "jobs.csv"
    report = render_on(server.url, workflow, workflow.parent / "out", table=table)
    return {record.name: record.status for record in report.records}


@pytest.mark.parametrize(
    ("method", "path", "nth"),
    [
        ("GET", "/object_info", 1),  # before anything is queued
        ("POST", "/prompt", 1),  # the first prompt has arrived, and its answer never comes
        ("POST", "/prompt", 2),
        ("GET", "/history", 1),  # while a job runs, which is asked after where no event came for a while
        ("GET", "/view", 2),  # one of the first job's two files has come (the first look is at the input)
        ("GET", "/view", 5),
        ("GET", "/view", 7),  # at the very last file
    ],
)
def test_a_killed_renderer_goes_on(server: TinyComfyUI, workflow: Path, method: str, path: str, nth: int) -> None:
    killer = _Killer(method, path, nth)
    server.on_request = killer
    server.step_sec = LONGER_THAN_SILENCE_SEC if path == "/history" else server.step_sec
    killer.process = _start(server, workflow)
    _, messages = killer.process.communicate(timeout=120)
    assert killer.killed, messages.decode()
    server.on_request, server.step_sec = None, 0.1
    assert _finish(server, workflow) == {"a": "done", "b": "done", "c": "done"}
    prefixes = Counter(graph["3"]["inputs"]["filename_prefix"] for graph in server.queued)
    assert prefixes == {"first": 1, "second": 1, "third": 1}
    files = sorted(str(p.relative_to(workflow.parent / "out")) for p in (workflow.parent / "out").rglob("*_1.*"))
    assert files == sorted(f"{name}/{file}" for name in "abc" for file in ("Invert_Image_1.png", "Result_1.txt"))
    for name, prefix in zip("abc", ("first", "second", "third"), strict=True):
        made_of = json.loads((workflow.parent / "out" / name / "Result_1.txt").read_text())
        assert made_of["3"]["inputs"]["filename_prefix"] == prefix


def test_sigterm_takes_the_prompt_back(server: TinyComfyUI, workflow: Path) -> None:
    server.step_sec = 60.0
    process = _start(server, workflow)

    def stop(method: str, path: str) -> None:
        if method == "GET" and path.startswith("/history") and len(server.queued) == 1:
            process.send_signal(signal.SIGTERM)

    server.on_request = stop
    _, messages = process.communicate(timeout=60)
    server.on_request = None
    assert process.returncode == 143, messages.decode()
    assert b"Terminated. What is finished stays in" in messages
    assert len(server.cancelled) == 1
    manifest = json.loads((workflow.parent / "out" / "manifest.json").read_text())
    assert [job["status"] for job in manifest["jobs"] if job["name"] == "a"] == ["interrupted"]
    server.step_sec = 0.0
    assert set(_finish(server, workflow).values()) == {"done"}


def test_a_server_that_forgets_a_prompt_gets_it_again(server: TinyComfyUI, workflow: Path) -> None:
    forgotten: list[str] = []

    def forget(method: str, path: str) -> None:
        """As a restart does while the second job runs: queue and history are empty."""
        if method == "POST" and path == "/prompt" and len(server.queued) == 1:
            server.step_sec = LONGER_THAN_SILENCE_SEC
        if method == "GET" and path.startswith("/history") and len(server.queued) == 2 and not forgotten:
            forgotten.extend(server.forget())
            server.step_sec = 0.1

    server.on_request = forget
    assert set(_finish(server, workflow).values()) == {"done"}
    prefixes = Counter(graph["3"]["inputs"]["filename_prefix"] for graph in server.queued)
    assert len(forgotten) == 1
    assert prefixes == {"first": 1, "second": 2, "third": 1}


def test_a_job_that_always_takes_its_server_down_is_given_up(server: TinyComfyUI, workflow: Path) -> None:
    def forget(method: str, path: str) -> None:
        if method == "GET" and path.startswith("/history") and server.queued:
            if server.queued[-1]["3"]["inputs"]["filename_prefix"] == "second":
                server.forget()

    server.on_request = forget
    table = workflow.parent / "jobs.csv"
    report = render_on(server.url, workflow, workflow.parent / "out", table=table)
    assert [record.status for record in report.records] == ["done", "failed", "done"]
    assert "Tried 3 times" in (report.records[1].error or "")
    assert "Expected a record of prompt" in (report.records[1].error or "")


def test_results_deleted_on_the_server_are_rendered_again(server: TinyComfyUI, workflow: Path) -> None:
    deleted: list[Path] = []

    def delete(method: str, path: str) -> None:
        if path == "/view" and len(server.queued) == 1 and not deleted:
            deleted.extend(server.folder.iterdir())
            for file in deleted:
                file.unlink()

    server.on_request = delete
    assert set(_finish(server, workflow).values()) == {"done"}
    assert len(deleted) == 2
    assert len(server.queued) == 4

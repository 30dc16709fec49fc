"""Renderers and workers that share a PostgreSQL."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from motionrag_nodes.batch_render.errors import JobFailed, JobStoreError, ServerTaken
from motionrag_nodes.batch_render.observer import SilentObserver
from motionrag_nodes.batch_render.queue import leases as leases_module
from motionrag_nodes.batch_render.queue.leases import Leases
from motionrag_nodes.batch_render.queue.orders import FOLDER_MAPS, JobOrder
from motionrag_nodes.batch_render.request import RenderRequest
from motionrag_nodes.batch_render.run import render_workflows
from motionrag_nodes.batch_render.server.access import Access
from motionrag_nodes.batch_render.server.facts import ServerFacts
from motionrag_nodes.batch_render.server.install import checkout_folder
from tests.motionrag_nodes.batch_render.graphs import picture_to_picture, write_workflow
from tests.motionrag_nodes.batch_render.queue.postgres import find_binaries, running_postgres
from tests.motionrag_nodes.batch_render.tiny_comfyui import TinyComfyUI

needs_postgres = pytest.mark.skipif(find_binaries() is None, reason="needs PostgreSQL (apt-get install postgresql)")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[TinyComfyUI]]:
    with ExitStack() as stack:
        found = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            found.append(stack.enter_context(TinyComfyUI(tmp_path / name, step_sec=0.2)))
        yield found


def _worker(database: str, server: TinyComfyUI) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "motionrag_nodes.cli.main", "render-worker", "--queue", database]
    process = subprocess.Popen(
        [*command, "--server", server.url], cwd=checkout_folder(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    assert "Waiting for jobs" in said, said + process.stderr.read()
    return process


@needs_postgres
def test_two_workers_one_killed(
    database: str, servers: list[TinyComfyUI], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_module, "LEASE_SEC", 10.0)  # workers renew theirs every 4 s
    workers = [_worker(database, server) for server in servers]

    def kill_the_first(method: str, path: str) -> None:
        if method == "POST" and path == "/prompt" and len(servers[0].queued) == 2:
            workers[0].send_signal(signal.SIGKILL)

    servers[0].on_request = kill_the_first
    rows = [f"job{number},x{number},cat.png" for number in range(8)]
    (tmp_path / "cat.png").write_bytes(b"cat")
    table = tmp_path / "jobs.csv"
    table.write_text("\n".join(["name,3.filename_prefix,Picture.image", *rows]))
    workflow = write_workflow(tmp_path / "w.json", picture_to_picture())
    notes: list[str] = []

    class Listener(SilentObserver):
        def note(self, text: str) -> None:
            notes.append(text)

    try:
        report = render_workflows(
            RenderRequest([workflow], tmp_path / "out", table=table),
            targets=[],
            queue_url=database,
            observer=Listener(),
        )
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)
    assert not report.failed
    assert {record.server for record in report.records} == {server.url for server in servers}
    assert any("is gone; its jobs go to others" in note for note in notes)
    for number, record in enumerate(report.records):
        made_of = json.loads((tmp_path / "out" / f"job{number}" / "Result_1.txt").read_text())
        assert made_of["3"]["inputs"]["filename_prefix"] == f"x{number}"
        assert record.status == "done"
    second = Counter(graph["3"]["inputs"]["filename_prefix"] for graph in servers[1].queued)
    assert max(second.values()) == 1
    assert workers[1].returncode == 143
    assert servers[0].uploads == servers[1].uploads


@needs_postgres
def test_a_server_has_one_driver(database: str) -> None:
    leases = Leases(sa.create_engine(database.replace("postgresql", "postgresql+psycopg")))
    facts = ServerFacts(Access("http://a"), "1", {"Node": {"input": {}}}, {"winter": 3})
    leases.take("k", "http://a", 2.0, holder="one", facts=facts)
    with pytest.raises(ServerTaken, match="Expected http://a for this renderer alone"):
        leases.take("k", "http://a", 1.0, holder="two", facts=facts)
    assert leases.living()["k"].weight == 2.0
    told = leases.facts("k")
    assert (told.version, told.object_info, told.generations) == ("1", facts.object_info, {"winter": 3})
    assert leases.renew(["k"], "one")
    assert not leases.renew(["k"], "two")
    leases.release(["k"], "two")
    assert "k" in leases.living()
    leases.release(["k"], "one")
    leases.take("k", "http://a", 1.0, holder="two", facts=facts)
    assert leases.living()["k"].holder == "two"
    leases.release(["k"], "two")


@needs_postgres
def test_a_lease_that_is_over_can_be_taken(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    leases = Leases(sa.create_engine(database.replace("postgresql", "postgresql+psycopg")))
    facts = ServerFacts(Access("http://b"), "1", {})
    leases.take("b", "http://b", 1.0, holder="gone", facts=facts)
    monkeypatch.setattr(leases_module, "LEASE_SEC", -1.0)
    leases.take("b", "http://b", 1.0, holder="new", facts=facts)
    assert not leases.renew(["b"], "gone")
    leases.release(["b"], "new")


def test_no_database(tmp_path: Path) -> None:
    workflow = write_workflow(tmp_path / "w.json", picture_to_picture())
    address = "postgresql://me:geheim@127.0.0.1:9/none"
    with pytest.raises(JobStoreError, match=r"Expected a job store at postgresql://127\.0\.0\.1:9/none") as caught:
        render_workflows(RenderRequest([workflow], tmp_path / "out"), targets=[], queue_url=address)
    assert "geheim" not in str(caught.value)


def test_another_folder_is_not_written_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def order(output: Path) -> JobOrder:
        return JobOrder("a", "k", "r", {}, (), (), (), None, (), str(output), "t", folder_id="abc")

    with pytest.raises(JobFailed, match="Expected the output folder of this batch at"):
        order(tmp_path / "there" / "out").folder  # noqa: B018
    here = tmp_path / "here" / "out"
    (here / ".motionrag").mkdir(parents=True)
    (here / ".motionrag" / "folder_id").write_text("abc")
    monkeypatch.setitem(FOLDER_MAPS, str(tmp_path / "there"), str(tmp_path / "here"))
    assert order(tmp_path / "there" / "out").folder == here

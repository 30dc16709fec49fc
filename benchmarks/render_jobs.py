"""What batch rendering costs beside the rendering: the overhead of a job, and several servers against one.

Servers are processes on this machine whose node only waits, so what is measured is the renderer: planning, the durable
store, requests, and results written and hashed. Overhead: jobs that take no time, seconds of the whole run and of this
process's CPU over the number of jobs. Scaling: jobs that wait, on 1, 2 and 4 servers.

python -m benchmarks.render_jobs [--short] [--jobs 5000] [--servers 4 ...] [--json FILE]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.fake_gpu_server import workflow
from benchmarks.measure import Result, publish
from motionrag_nodes.batch_render.request import RenderRequest
from motionrag_nodes.batch_render.run import render_workflows
from motionrag_nodes.batch_render.server.access import Access
from motionrag_nodes.batch_render.server.target import Target

SCALING_JOBS, WAIT_SEC = 200, 1.0


@contextmanager
def server(seconds: float) -> Iterator[str]:
    """The address of a server whose node waits for `seconds`."""
    command = [sys.executable, "-m", "benchmarks.fake_gpu_server", "--seconds", str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def render(jobs: int, servers: int, seconds: float, folder: Path) -> dict[str, float]:
    """Renders that many jobs; wall and CPU seconds of the run, and of a second one that has nothing to do."""
    path, table = folder / "wait.json", folder / "jobs.jsonl"
    path.write_text(json.dumps(workflow()))
    table.write_text("".join(f'{{"name": "job{n:05d}", "1.number": {n}}}\n' for n in range(jobs)))
    found: dict[str, float] = {}
    with ExitStack() as stack:
        targets = [Target(Access(stack.enter_context(server(seconds)))) for _ in range(servers)]
        for name in ("first", "again"):
            wall, cpu = time.perf_counter(), time.process_time()
            report = render_workflows(RenderRequest([path], folder / "out", table=table), targets=targets)
            found[f"{name}_wall"], found[f"{name}_cpu"] = time.perf_counter() - wall, time.process_time() - cpu
            if report.failed or len(report.skipped) != (jobs if name == "again" else 0):
                raise typer.Exit(1)
    return found


def overhead(jobs: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        took = render(jobs, 1, 0.0, Path(scratch))
    return {
        "measured": f"{jobs} jobs of 0 s, 1 server",
        "wall_sec": round(took["first_wall"], 1),
        "wall_ms_a_job": round(1000 * took["first_wall"] / jobs, 1),
        "cpu_ms_a_job": round(1000 * took["first_cpu"] / jobs, 1),
        "second_run_sec": round(took["again_wall"], 2),
        "of_linear": "",
        "of_waiting": "",
    }


def scaling(jobs: int, wait_sec: float, servers: Sequence[int]) -> Iterator[dict[str, Any]]:
    """`of_linear`: the time of one server over that of all, by their number; `of_waiting`: that of the waiting."""
    one = None
    for count in servers:
        with tempfile.TemporaryDirectory() as scratch:
            took = render(jobs, count, wait_sec, Path(scratch))
        wall_sec = took["first_wall"]
        one = wall_sec if count == 1 else one
        yield {
            "measured": f"{jobs} jobs of {wait_sec:g} s, {count} server{'s' if count > 1 else ''}",
            "wall_sec": round(wall_sec, 1),
            "wall_ms_a_job": round(1000 * wall_sec / jobs, 1),
            "cpu_ms_a_job": round(1000 * took["first_cpu"] / jobs, 1),
            "second_run_sec": round(took["again_wall"], 2),
            "of_linear": round(one / count / wall_sec, 3) if one else "",
            "of_waiting": round(jobs * wait_sec / count / wall_sec, 3),
        }


def main(
    jobs: Annotated[int, typer.Option(help="Jobs of the overhead's line; 0: without it.")] = 5000,
    servers: Annotated[list[int] | None, typer.Option(help=r"Numbers of servers. \[default: 1, 2, 4]")] = None,
    short: Annotated[bool, typer.Option("--short", help="Few jobs.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write the result there.")] = None,
) -> None:
    """Measure both, and print a table."""
    jobs = min(jobs, 300) if short else jobs
    lines = [overhead(jobs)] if jobs else []
    lines += scaling(40 if short else SCALING_JOBS, WAIT_SEC, [1, 2, 4] if servers is None else servers)
    publish(Result(title="Batch rendering beside the rendering", conditions={}, lines=lines), json_path)


if __name__ == "__main__":
    typer.run(main)

"""`motionrag render`: queues saved workflows on a ComfyUI, follows them and collects what they made."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from motionrag_nodes.batch_render.errors import RenderError

if TYPE_CHECKING:
    from motionrag_nodes.batch_render.jobs.plan import RenderJob
    from motionrag_nodes.batch_render.results.manifest import JobRecord
    from motionrag_nodes.batch_render.run import RenderReport, Target
    from motionrag_nodes.batch_render.server.access import Access

EXIT_JOB_FAILED = 1
EXIT_INTERRUPTED = 130


def render(
    workflows: Annotated[list[Path], typer.Argument(help="Workflow files, as saved in ComfyUI or exported (API).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results and their manifest.json.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="NODE.INPUT=VALUE; NODE is a node's id, title or class. Repeatable."),
    ] = None,
    jobs: Annotated[
        Path | None,
        typer.Option("--jobs", help="Table (CSV, .jsonl, .parquet), a row a job; columns NODE.INPUT and maybe name."),
    ] = None,
    jobs_encoding: Annotated[
        str | None, typer.Option("--jobs-encoding", help="Encoding of the table where it is not Unicode: cp1252, ...")
    ] = None,
    server: Annotated[
        list[str] | None,
        typer.Option("--server", help="URL of a running ComfyUI, also https://user:password@host/path. Repeatable."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", help="'Name: value' sent to every --server. Repeatable.")
    ] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="Certificates (PEM) to trust for https.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Trust any certificate.")] = False,
    patience: Annotated[
        float, typer.Option("--patience", help="Seconds for which a server may be away before its jobs are given up.")
    ] = 60.0,
    name_template: Annotated[
        str,
        typer.Option("--name-template", help="Names of results: {job}, {node} or {id} or {class}, {n}, {ext}."),
    ] = "{job}/{node}_{n}.{ext}",
    comfyui: Annotated[
        Path | None,
        typer.Option("--comfyui", help="ComfyUI folder to start one from (else COMFYUI_PATH, else the installed one)."),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option("--base", help="Folder with the models/ of the ComfyUI that is started (else a temporary one)."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Render again what is done already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a report for programs on stdout.")] = False,
) -> None:
    """Render saved workflows in a batch. A second run repeats only what is missing, failed or changed.

    Exit code: 0 all done, 1 a job failed, 2 bad input.
    """
    from motionrag_nodes.batch_render.run import render_workflows
    from motionrag_nodes.batch_render.server.access import parse_access

    if server and (comfyui is not None or base is not None):
        raise RenderError("--server names a running ComfyUI; --comfyui and --base start one. Give one kind, not both.")
    _check_files(workflows, jobs, jobs_encoding)
    console = Console(stderr=True)
    try:
        accesses = [parse_access(url, headers=header or (), ca_file=ca, insecure=insecure) for url in server or ()]
        with _targets(accesses, comfyui=comfyui, base=base, console=console) as targets, _Display(console) as display:
            report = render_workflows(
                workflows,
                targets=targets,
                output=output,
                template=name_template,
                patience_sec=patience,
                assignments=assignments or [],
                table=jobs,
                table_encoding=jobs_encoding,
                force=force,
                observer=display,
            )
    except KeyboardInterrupt:
        console.print(f"Interrupted. What is finished stays in {output}; run the same command to continue.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    else:
        _show(report, console)
    if report.failed:
        raise typer.Exit(EXIT_JOB_FAILED)


def _check_files(workflows: Sequence[Path], jobs: Path | None, encoding: str | None) -> None:
    """Reads the given files once before a server is started for them."""
    from motionrag_nodes.batch_render.jobs.table import read_job_table
    from motionrag_nodes.batch_render.workflow_file import read_workflow

    for path in workflows:
        read_workflow(path)
    if jobs is not None:
        read_job_table(jobs, encoding=encoding)


@contextmanager
def _targets(
    accesses: Sequence[Access], *, comfyui: Path | None, base: Path | None, console: Console
) -> Iterator[list[Target]]:
    from motionrag_nodes.batch_render.run import Target

    if accesses:
        yield [Target(access) for access in accesses]
        return
    from motionrag_nodes.batch_render.server.access import Access
    from motionrag_nodes.batch_render.server.install import find_comfyui
    from motionrag_nodes.batch_render.server.own_server import ComfyUIServer

    install = find_comfyui(comfyui)
    server = ComfyUIServer(install, base=base)
    label = f"Starting ComfyUI {install.version} from {escape(str(install.folder))}"
    console.print(label, highlight=False)
    began = time.monotonic()
    with console.status(label) as status:
        server.start(lambda waited, line: status.update(f"Waiting for ComfyUI, {waited:.0f} s  {escape(line[:80])}"))
    with server:
        console.print(f"It answers after {time.monotonic() - began:.0f} s", highlight=False)
        yield [Target(Access(server.url), own=server)]


class _Display:
    """Shows a batch as it runs: one bar over the jobs, one over the steps of the node at work."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console)
        self._console = console
        self._all = self._progress.add_task("Jobs", total=None, visible=False)
        self._steps = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def planned(self, jobs: Sequence[RenderJob]) -> None:
        self._progress.update(self._all, total=len(jobs), visible=True)

    def started(self, job: RenderJob) -> None:
        self._progress.update(self._steps, description=job.name, visible=True, completed=0, total=None)

    def node(self, job: RenderJob, title: str, done: int, total: int) -> None:
        self._progress.reset(self._steps, description=escape(f"{job.name}: {title}"), total=None)

    def steps(self, job: RenderJob, value: float, maximum: float) -> None:
        self._progress.update(self._steps, completed=value, total=maximum)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def finished(self, record: JobRecord, *, skipped: bool) -> None:
        self._progress.update(self._all, advance=1)
        self._progress.update(self._steps, visible=False)
        if record.status != "done":
            self._console.print(f"[red]{record.name}: {record.status}.[/red] ", end="")
            self._console.print(record.error or "", markup=False, highlight=False)


def _show(report: RenderReport, console: Console) -> None:
    table = Table(Column("job", overflow="fold"), "status", "seconds", Column("files", overflow="fold"))
    for record in report.records:
        status = "done before" if record.name in report.skipped else record.status
        files = "\n".join(output.file for output in record.outputs)
        table.add_row(record.name, status, f"{record.seconds:.1f}", escape(files or record.error or ""))
    console.print(table)
    console.print(f"Results and manifest.json are in {report.output}", markup=False, highlight=False)

"""`motionrag render`: queues saved workflows on ComfyUI servers, follows them and collects what they made."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from motionrag_nodes.cli.output_folder import check_output_folder
from motionrag_nodes.cli.render_display import Display, show_plan, show_report
from motionrag_nodes.cli.render_servers import ServerChoice, opened_targets
from motionrag_nodes.cli.terminal import Console, print_json

EXIT_JOB_FAILED = 1
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a batch as Ctrl-C does."""


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
    servers: Annotated[
        Path | None, typer.Option("--servers", help=r"TOML file of [\[server]] tables: url, weight, headers, ...")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", help="'Name: value' sent to every --server. Repeatable.")
    ] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="Certificates (PEM) to trust for https.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Trust any certificate.")] = False,
    patience: Annotated[
        float, typer.Option("--patience", help="Seconds for which a server may be away before its jobs are given up.")
    ] = 60.0,
    queue: Annotated[
        str | None,
        typer.Option("--queue", help="postgresql://... shared with motionrag render-worker on other machines."),
    ] = None,
    comfyui: Annotated[
        Path | None,
        typer.Option("--comfyui", help="ComfyUI folder to start one from (else COMFYUI_PATH, else the installed one)."),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option("--base", help="Folder with models/, input/ ... for the ComfyUI that is started, or your own's."),
    ] = None,
    extra_model_paths: Annotated[
        list[Path] | None,
        typer.Option("--extra-model-paths", help="A file like ComfyUI's extra_model_paths.yaml. Repeatable."),
    ] = None,
    name_template: Annotated[
        str, typer.Option("--name-template", help="Names of results: {job}, {node} or {id} or {class}, {n}, {ext}.")
    ] = "{job}/{node}_{n}.{ext}",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show the plan and an estimate, and queue nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Render again what is done already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a report for programs on stdout.")] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Write a line of JSON for every event to stderr, in place of bars.")
    ] = False,
) -> None:
    """Render saved workflows in a batch. A second run repeats only what is missing, failed or changed.

    Exit code: 0 all done, 1 a job failed, 2 bad input, 130 interrupted, 143 terminated.
    """
    from motionrag_nodes.batch_render.json_log import JsonLog
    from motionrag_nodes.batch_render.run import plan_batch, render_workflows

    choice = ServerChoice(
        servers=server or (),
        servers_file=servers,
        headers=header or (),
        ca_file=ca,
        insecure=insecure,
        comfyui=comfyui,
        base=base,
        extra_model_paths=extra_model_paths or (),
    )
    _check_files(workflows, jobs, jobs_encoding)
    if not dry_run:
        check_output_folder(output)
    console = Console(stderr=True, quiet=log_json)
    batch: dict[str, Any] = {
        "output": output,
        "assignments": assignments or [],
        "table": jobs,
        "table_encoding": jobs_encoding,
        "template": name_template,
        "force": force,
    }
    try:
        with terminable(), opened_targets(choice, console, start=queue is None) as targets:
            if dry_run:
                plan = plan_batch(workflows, targets=targets, **batch)
                if as_json:
                    print_json(plan.as_dict())
                else:
                    show_plan(plan, console)
                return
            with Display(console) as display:
                observer = JsonLog(sys.stderr) if log_json else display
                report = render_workflows(
                    workflows,
                    targets=targets,
                    patience_sec=patience,
                    queue_url=queue,
                    observer=observer,
                    **batch,
                )
    except KeyboardInterrupt as signalled:
        terminated = isinstance(signalled, Terminated)
        what = "Terminated" if terminated else "Interrupted"
        console.print(f"{what}. What is finished stays in {output}; run the same command to continue.")
        raise typer.Exit(EXIT_TERMINATED if terminated else EXIT_INTERRUPTED) from None
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report, console)
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
def terminable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that servers' prompts are taken back."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

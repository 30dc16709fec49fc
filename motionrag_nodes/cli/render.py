"""`motionrag render`: queues saved workflows on ComfyUI servers, follows them and collects what they made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from motionrag_nodes.cli import render_options as options
from motionrag_nodes.cli.output_folder import check_output_folder
from motionrag_nodes.cli.render_display import Display, show_plan, show_report
from motionrag_nodes.cli.render_servers import ServerChoice, opened_targets
from motionrag_nodes.cli.stopping import ended_in_order
from motionrag_nodes.cli.terminal import Console, print_json

if TYPE_CHECKING:
    from motionrag_nodes.batch_render.request import RenderRequest
    from motionrag_nodes.batch_render.run import RenderReport

EXIT_JOB_FAILED = 1


def render(
    workflows: options.Workflows,
    output: options.Output,
    assignments: options.Assignments = None,
    jobs: options.Jobs = None,
    jobs_encoding: options.JobsEncoding = None,
    server: options.Server = None,
    servers: options.Servers = None,
    header: options.Header = None,
    ca: options.Ca = None,
    insecure: options.Insecure = False,
    patience: options.Patience = options.DEFAULT_PATIENCE_SEC,
    queue: options.Queue = None,
    comfyui: options.Comfyui = None,
    base: options.Base = None,
    extra_model_paths: options.ExtraModelPaths = None,
    name_template: options.NameTemplateText = "{job}/{node}_{n}.{ext}",
    part: options.PartText = "1/1",
    dry_run: options.DryRun = False,
    export_openjd: options.ExportOpenjd = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    log_json: options.LogJson = False,
) -> None:
    """Render saved workflows in a batch. A second run repeats only what is missing, failed or changed.

    Exit code: 0 all done, 1 a job failed, 2 bad input, 130 interrupted, 143 terminated.
    """
    from motionrag_nodes.batch_render.request import Part, RenderRequest
    from motionrag_nodes.batch_render.results.names import NameTemplate

    request = RenderRequest(
        workflows=workflows,
        output=output,
        assignments=assignments or (),
        table=jobs,
        table_encoding=jobs_encoding,
        template=NameTemplate(name_template),
        part=Part.parse(part),
        force=force,
    )
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
    jobs_count = _check_files(request)
    console = Console(stderr=True, quiet=log_json)
    if export_openjd is not None:
        _export(request, choice, jobs_count, export_openjd, console)
    elif dry_run:
        _plan(request, choice, start=queue is None, as_json=as_json, console=console)
    else:
        check_output_folder(output)
        report = _render(request, choice, patience, queue, log_json=log_json, console=console)
        _end(report, as_json=as_json, console=console)


def _check_files(request: RenderRequest) -> int:
    """Reads the given files once before a server is started for them; the number of jobs that they make."""
    from motionrag_nodes.batch_render.jobs.table import read_job_table
    from motionrag_nodes.batch_render.workflow_file import read_workflow

    for path in request.workflows:
        read_workflow(path)
    rows = 1 if request.table is None else len(read_job_table(request.table, encoding=request.table_encoding))
    return len(request.workflows) * rows


def _plan(request: RenderRequest, choice: ServerChoice, *, start: bool, as_json: bool, console: Console) -> None:
    from motionrag_nodes.batch_render.run import plan_batch

    with ended_in_order(console.print, "Nothing was queued."), opened_targets(choice, console, start=start) as targets:
        plan = plan_batch(request, targets)
    if as_json:
        print_json(plan.as_dict())
    else:
        show_plan(plan, console)


def _export(request: RenderRequest, choice: ServerChoice, jobs: int, path: Path, console: Console) -> None:
    from motionrag_nodes.batch_render.openjd import write_template

    write_template(path, request, choice.arguments(), tasks=jobs)
    console.print(f"{jobs} tasks in {path}. Nothing was rendered.", markup=False, highlight=False)


def _render(
    request: RenderRequest,
    choice: ServerChoice,
    patience: float,
    queue: str | None,
    *,
    log_json: bool,
    console: Console,
) -> RenderReport:
    from motionrag_nodes.batch_render.json_log import JsonLog
    from motionrag_nodes.batch_render.run import render_workflows

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    stays = f"What is finished stays in {request.output}; run the same command to continue."
    with (
        ended_in_order(say, stays),
        opened_targets(choice, console, start=queue is None) as targets,
        Display(console) as display,
    ):
        observer = JsonLog(sys.stderr) if log_json else display
        return render_workflows(request, targets=targets, patience_sec=patience, queue_url=queue, observer=observer)


def _end(report: RenderReport, *, as_json: bool, console: Console) -> None:
    """Shows what came of it; a job that failed is exit code 1."""
    if as_json:
        print_json(report.as_dict())
    else:
        show_report(report, console)
    if report.failed:
        raise typer.Exit(EXIT_JOB_FAILED)

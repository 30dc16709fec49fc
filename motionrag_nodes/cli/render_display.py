"""What people see of a batch: bars with the time left, jobs an hour of each server, the plan, the results."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from motionrag_nodes.cli.terminal import Console, escape

if TYPE_CHECKING:
    from motionrag_nodes.batch_render.dry_run import BatchPlan
    from motionrag_nodes.batch_render.jobs.plan import RenderJob
    from motionrag_nodes.batch_render.results.manifest import JobRecord
    from motionrag_nodes.batch_render.run import RenderReport

_SHOWN_ROWS = 200
# Under this key nodes show what should be known of a result; `previews.py` of the nodes writes it.
NOTICE = "motionrag_notice"


class Display:
    """One bar over the jobs with the time left, and one over the steps of each job at work."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rest]}"),
        )
        self._progress = Progress(*columns, console=console)
        self._console = console
        self._all = self._progress.add_task("Jobs", total=None, visible=False, rest="")
        self._tasks: dict[str, TaskID] = {}
        self._ended: Counter[str] = Counter()
        self._began = time.monotonic()
        self._left = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def planned(self, jobs: Sequence[RenderJob]) -> None:
        self._began, self._left = time.monotonic(), len(jobs)
        self._progress.update(self._all, total=len(jobs), visible=True)

    def started(self, job: RenderJob) -> None:
        with self._lock:
            if job.name not in self._tasks:
                self._tasks[job.name] = self._progress.add_task(escape(job.name), total=None, rest="")

    def node(self, job: RenderJob, title: str, done: int, total: int) -> None:
        self.started(job)
        self._progress.reset(self._tasks[job.name], description=escape(f"{job.name}: {title}"), total=None)

    def steps(self, job: RenderJob, value: float, maximum: float) -> None:
        self.started(job)
        self._progress.update(self._tasks[job.name], completed=value, total=maximum)

    def finished(self, record: JobRecord, *, skipped: bool) -> None:
        with self._lock:
            task = self._tasks.pop(record.name, None)
            if task is not None:
                self._progress.remove_task(task)
            self._left -= 1
            if not skipped:
                self._ended[record.server] += 1
        self._progress.update(self._all, advance=1, rest=self._rest())
        if record.status != "done":
            self._console.print(f"[red]{escape(record.name)}: {record.status}.[/red] ", end="")
            self._console.print(record.error or "", markup=False, highlight=False)
        for notice in dict.fromkeys(said for shown in record.shown.values() for said in shown.get(NOTICE, ())):
            self._console.print(f"{record.name}: {notice}", markup=False, highlight=False)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def _rest(self) -> str:
        """Time left at the rate so far, and jobs an hour of each server where there are several."""
        passed, ended = time.monotonic() - self._began, sum(self._ended.values())
        if not ended or passed <= 0:
            return ""
        left = f"about {duration(self._left * passed / ended)} left"
        rates = {server: 3600 * count / passed for server, count in sorted(self._ended.items())}
        shown = ", ".join(f"{server.rpartition('//')[2]} {rate:.0f}/h" for server, rate in rates.items())
        return f"{left}, {shown}"


def show_report(report: RenderReport, console: Console) -> None:
    """A row a job; of a large batch those that are not done, and the counts."""
    shown = report.records if len(report.records) <= _SHOWN_ROWS else report.failed
    table = Table(Column("job", overflow="fold"), "status", "seconds", Column("files", overflow="fold"))
    skipped = set(report.skipped)
    for record in shown[:_SHOWN_ROWS]:
        status = "done before" if record.name in skipped else record.status
        files = "\n".join(output.file for output in record.outputs)
        table.add_row(escape(record.name), status, f"{record.seconds:.1f}", escape(files or record.error or ""))
    console.print(table)
    counts = ", ".join(f"{count} {status}" for status, count in report.as_dict()["counts"].items())
    console.print(
        f"{counts}. Results, manifest.json and gallery.html are in {report.output}", markup=False, highlight=False
    )


def show_plan(plan: BatchPlan, console: Console) -> None:
    """What a run would do, a row a job."""
    table = Table(
        Column("job", overflow="fold"), "what", Column("on", overflow="fold"), Column("with", overflow="fold")
    )
    for job in plan.jobs[:_SHOWN_ROWS]:
        values = "\n".join(f"{name} = {value[:80]}" for name, value in job.values.items())
        table.add_row(escape(job.name), "done before" if job.done else "render", "\n".join(job.servers), escape(values))
    console.print(table)
    if len(plan.jobs) > _SHOWN_ROWS:
        console.print(f"and {len(plan.jobs) - _SHOWN_ROWS} more jobs")
    waiting = sum(not job.done for job in plan.jobs)
    took = "no job of these workflows was rendered here yet, so the time is not known"
    if plan.estimate_sec is not None:
        took = f"about {duration(plan.estimate_sec)}, as earlier jobs took"
    console.print(
        f"{waiting} of {len(plan.jobs)} jobs to render: {took}. {plan.free_disk_bytes / 2**30:.1f} GiB free. "
        "Nothing was queued.",
        markup=False,
        highlight=False,
    )


def duration(seconds: float) -> str:
    """Seconds in the unit that people would choose."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"

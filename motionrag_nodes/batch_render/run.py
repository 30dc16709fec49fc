"""Renders workflow files into a folder: reads, checks, runs and reports."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index_builder.border import border
from index_builder.database.commit.presence import try_lock
from motionrag_nodes.batch_render.check import CheckedJob, check_batch, done_before, free_disk_bytes
from motionrag_nodes.batch_render.dry_run import BatchPlan, make_plan
from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.jobs.plan import plan_jobs
from motionrag_nodes.batch_render.observer import RenderObserver, SilentObserver
from motionrag_nodes.batch_render.request import RenderRequest
from motionrag_nodes.batch_render.results.gallery import write_gallery
from motionrag_nodes.batch_render.results.manifest import JobRecord, RunManifest
from motionrag_nodes.batch_render.results.names import STATE_FOLDER
from motionrag_nodes.batch_render.server.client import DEFAULT_PATIENCE_SEC
from motionrag_nodes.batch_render.server.facts import ServerFacts, ask_servers, merged_object_info
from motionrag_nodes.batch_render.server.target import Target
from motionrag_nodes.batch_render.workflow_file import read_workflow

if TYPE_CHECKING:
    from motionrag_nodes.batch_render.places import Farm

_LOCK_LOOK_SEC = 0.5


@dataclass(frozen=True)
class RenderReport:
    """Every job's record, in order; `skipped` names those that were done already."""

    records: tuple[JobRecord, ...]
    skipped: tuple[str, ...]
    output: Path

    @property
    def failed(self) -> tuple[JobRecord, ...]:
        """The records of jobs that are not done."""
        return tuple(record for record in self.records if record.status != "done")

    def as_dict(self) -> dict[str, Any]:
        """For programs: counts, and the records as in the manifest."""
        skipped = set(self.skipped)
        counts = Counter("skipped" if r.name in skipped else r.status.replace(" ", "_") for r in self.records)
        jobs = [{**asdict(record), "skipped": record.name in skipped} for record in self.records]
        return {"output": str(self.output), "counts": dict(counts), "jobs": jobs}


def render_workflows(
    request: RenderRequest,
    *,
    targets: Sequence[Target],
    patience_sec: float = DEFAULT_PATIENCE_SEC,
    queue_url: str | None = None,
    observer: RenderObserver | None = None,
) -> RenderReport:
    """Renders what is asked for on running servers, and keeps the manifest in the output folder.

    Jobs whose manifest entry is done with the same nodes, values, files, databases and ComfyUI version are skipped
    unless it is forced. `patience_sec`: for so long a server may be away before its jobs go elsewhere, or fail.
    `queue_url`: a PostgreSQL whose workers bring more servers; the output folder is shared with them.
    Raises RenderError subclasses before the first job; a job's own failure is in the report.
    """
    from motionrag_nodes.batch_render.places import opened_farm

    watcher, output = observer or SilentObserver(), request.output
    with (
        _folder(output, watcher),
        opened_farm(targets, queue_url=queue_url, patience_sec=patience_sec, observer=watcher) as farm,
    ):
        if queue_url is None:  # what a killed run was fetching
            shutil.rmtree(output / STATE_FOLDER / "parts", ignore_errors=True)
        planned = _plan(request, [place.facts for place in farm.places])
        watcher.planned([c.job for c in planned.checked])
        for record in planned.done.values():
            watcher.finished(record, skipped=True)
        records = planned.done | _rendered(request, planned, farm, watcher)
        ordered = tuple(records[c.job.name] for c in planned.checked)
        return RenderReport(ordered, tuple(planned.done), output)


def plan_batch(request: RenderRequest, targets: Sequence[Target]) -> BatchPlan:
    """What `render_workflows` would do, with the same checks and errors; writes and queues nothing."""
    planned = _plan(request, ask_servers([target.access for target in targets]))
    return make_plan(
        planned.checked,
        planned.done,
        servers=[target.access.url for target in targets],
        manifest=planned.manifest,
        free_disk_bytes=free_disk_bytes(request.output),
    )


@dataclass(frozen=True)
class _Planned:
    """All jobs of a request, the records of those that are done already, and the manifest that says so."""

    checked: list[CheckedJob]
    done: dict[str, JobRecord]
    manifest: RunManifest


def _plan(request: RenderRequest, servers: Sequence[ServerFacts]) -> _Planned:
    checked = _checked(request, servers)
    manifest = RunManifest(request.output)
    return _Planned(checked, {} if request.force else done_before(checked, manifest), manifest)


def _rendered(request: RenderRequest, planned: _Planned, farm: Farm, observer: RenderObserver) -> dict[str, JobRecord]:
    """Renders what is not done, and writes the gallery however that ends."""
    from motionrag_nodes.batch_render.batch import Batch

    waiting = [c for c in planned.checked if c.job.name not in planned.done]
    if not waiting:
        return {}
    template, manifest = request.template, planned.manifest
    with farm.opened_store(request.output / STATE_FOLDER) as store:
        batch = Batch(waiting, farm, store=store, manifest=manifest, template=template, observer=observer)
        try:
            batch.run(force=request.force)
        finally:
            write_gallery(request.output, manifest.records())
        return batch.records


def _checked(request: RenderRequest, servers: Sequence[ServerFacts]) -> list[CheckedJob]:
    workflows = [read_workflow(path) for path in request.workflows]

    def refusal(reason: str) -> RenderError:
        addresses = ", ".join(server.access.url for server in servers)
        return RenderError(
            f"Expected {addresses} to describe its nodes as ComfyUI does, and workflows as the editor writes them, "
            f"received something else ({reason}). Check --server, and open the workflow in the editor and save it "
            "again."
        )

    # Here values of workflows meet what servers say of them; either may have any shape.
    with border(refusal):
        jobs = plan_jobs(
            workflows,
            assignments=request.assignments,
            table=request.table,
            object_info=merged_object_info(servers),
            encoding=request.table_encoding,
        )
        return check_batch(request.part.of_jobs(jobs), servers, template=request.template, output=request.output)


@contextmanager
def _folder(output: Path, observer: RenderObserver) -> Iterator[None]:
    """The output folder, for one renderer at a time: a second one waits for the first."""
    try:
        (output / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
        lock = (output / STATE_FOLDER / "lock").open("ab")
    except OSError as error:
        raise RenderError(
            f"Expected an output folder that can be written at {output}, but it is not possible "
            f"({error.strerror or error}): choose another."
        ) from error
    with lock:
        if not try_lock(lock):
            observer.note(f"Another render works in {output}; waiting for it to end.")
            while not try_lock(lock):
                time.sleep(_LOCK_LOOK_SEC)
        yield

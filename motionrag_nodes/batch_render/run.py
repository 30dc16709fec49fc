"""Renders workflow files into a folder: reads, checks, runs and reports."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index_builder.border import border
from index_builder.database.commit.presence import try_lock
from motionrag_nodes.batch_render.check import CheckedJob, check_batch, done_before, free_disk_bytes
from motionrag_nodes.batch_render.dry_run import BatchPlan, make_plan
from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.jobs.plan import plan_jobs
from motionrag_nodes.batch_render.observer import RenderObserver, SilentObserver
from motionrag_nodes.batch_render.results.gallery import write_gallery
from motionrag_nodes.batch_render.results.manifest import JobRecord, RunManifest
from motionrag_nodes.batch_render.results.names import DEFAULT_TEMPLATE, STATE_FOLDER, NameTemplate
from motionrag_nodes.batch_render.server.access import parse_access
from motionrag_nodes.batch_render.server.client import DEFAULT_PATIENCE_SEC
from motionrag_nodes.batch_render.server.facts import ServerFacts, ask_servers, merged_object_info
from motionrag_nodes.batch_render.server.target import Target
from motionrag_nodes.batch_render.workflow_file import read_workflow

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
    workflow_paths: Sequence[Path],
    *,
    output: Path,
    server_url: str | None = None,
    targets: Sequence[Target] = (),
    assignments: Sequence[str] = (),
    table: Path | None = None,
    table_encoding: str | None = None,
    template: str = DEFAULT_TEMPLATE,
    force: bool = False,
    patience_sec: float = DEFAULT_PATIENCE_SEC,
    queue_url: str | None = None,
    observer: RenderObserver | None = None,
) -> RenderReport:
    """Renders workflow files on running servers into `output`, and keeps the manifest there.

    Jobs whose manifest entry is done with the same nodes, values, files, databases and ComfyUI version are skipped
    unless `force`. `patience_sec`: for so long a server may be away before its jobs go elsewhere, or fail.
    `queue_url`: a PostgreSQL whose workers bring more servers; the output folder is shared with them.
    Raises RenderError subclasses before the first job; a job's own failure is in the report.
    """
    from motionrag_nodes.batch_render.batch import Batch
    from motionrag_nodes.batch_render.places import opened_farm

    watcher = observer or SilentObserver()
    targets = [*targets, *([Target(parse_access(server_url))] if server_url else [])]
    names = NameTemplate(template)
    with (
        _folder(output, watcher),
        opened_farm(targets, queue_url=queue_url, patience_sec=patience_sec, observer=watcher) as farm,
    ):
        manifest = RunManifest(output)
        if queue_url is None:  # what a killed run was fetching
            shutil.rmtree(output / STATE_FOLDER / "parts", ignore_errors=True)
        facts = [place.facts for place in farm.places]
        checked = _checked(
            workflow_paths, facts, assignments, table, encoding=table_encoding, names=names, output=output
        )
        watcher.planned([c.job for c in checked])
        done = {} if force else done_before(checked, manifest)
        for record in done.values():
            watcher.finished(record, skipped=True)
        waiting = [c for c in checked if c.job.name not in done]
        records = dict(done)
        if waiting:
            with farm.opened_store(output / STATE_FOLDER) as store:
                batch = Batch(waiting, farm, store=store, manifest=manifest, template=names, observer=watcher)
                try:
                    batch.run(force=force)
                finally:
                    write_gallery(output, manifest.records())
                records |= batch.records
        return RenderReport(tuple(records[c.job.name] for c in checked), tuple(done), output)


def plan_batch(
    workflow_paths: Sequence[Path],
    *,
    output: Path,
    targets: Sequence[Target],
    assignments: Sequence[str] = (),
    table: Path | None = None,
    table_encoding: str | None = None,
    template: str = DEFAULT_TEMPLATE,
    force: bool = False,
) -> BatchPlan:
    """What `render_workflows` would do, with the same checks and errors; writes and queues nothing."""
    servers = ask_servers([target.access for target in targets])
    names = NameTemplate(template)
    checked = _checked(workflow_paths, servers, assignments, table, encoding=table_encoding, names=names, output=output)
    manifest = RunManifest(output)
    done = {} if force else done_before(checked, manifest)
    addresses = [target.access.url for target in targets]
    return make_plan(checked, done, servers=addresses, manifest=manifest, free_disk_bytes=free_disk_bytes(output))


def _checked(
    workflow_paths: Sequence[Path],
    servers: Sequence[ServerFacts],
    assignments: Sequence[str],
    table: Path | None,
    *,
    encoding: str | None,
    names: NameTemplate,
    output: Path,
) -> list[CheckedJob]:
    workflows = [read_workflow(path) for path in workflow_paths]

    def refusal(reason: str) -> RenderError:
        addresses = ", ".join(server.access.url for server in servers)
        return RenderError(
            f"{addresses} does not describe its nodes as ComfyUI does, or a workflow is not as the editor writes it "
            f"({reason}). Check --server, and open the workflow in the editor and save it again."
        )

    # Here values of workflows meet what servers say of them; either may have any shape.
    with border(refusal):
        jobs = plan_jobs(
            workflows,
            assignments=assignments,
            table=table,
            object_info=merged_object_info(servers),
            encoding=encoding,
        )
        return check_batch(jobs, servers, template=names, output=output)


@contextmanager
def _folder(output: Path, observer: RenderObserver) -> Iterator[None]:
    """The output folder, for one renderer at a time: a second one waits for the first."""
    try:
        (output / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
        lock = (output / STATE_FOLDER / "lock").open("ab")
    except OSError as error:
        raise RenderError(
            f"Cannot use {output} as output folder: {error.strerror or error}. Choose another."
        ) from error
    with lock:
        if not try_lock(lock):
            observer.note(f"Another render works in {output}; waiting for it to end.")
            while not try_lock(lock):
                time.sleep(_LOCK_LOOK_SEC)
        yield

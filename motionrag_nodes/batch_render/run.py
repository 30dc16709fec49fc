"""Runs planned jobs one after another on a server; a failed one does not stop the others."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from motionrag_nodes.batch_render.errors import ComfyUIConnectionError, JobFailed, RenderError
from motionrag_nodes.batch_render.jobs.fingerprint import file_sha256, fingerprint
from motionrag_nodes.batch_render.jobs.plan import RenderJob, plan_jobs
from motionrag_nodes.batch_render.results.manifest import JobRecord, OutputFile, RunManifest
from motionrag_nodes.batch_render.server.client import ComfyUIClient, PromptRun, ServerFile, shown_node
from motionrag_nodes.batch_render.workflow_file import ApiGraph, read_workflow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderReport:
    """Every job's record, in order; `skipped` names those that were done already."""

    records: tuple[JobRecord, ...]
    skipped: tuple[str, ...]
    output: Path

    @property
    def failed(self) -> tuple[JobRecord, ...]:
        return tuple(record for record in self.records if record.status != "done")

    def as_dict(self) -> dict[str, Any]:
        """For programs: counts, and the records as in the manifest."""
        counts = Counter("skipped" if r.name in self.skipped else r.status.replace(" ", "_") for r in self.records)
        jobs = [{**asdict(record), "skipped": record.name in self.skipped} for record in self.records]
        return {"output": str(self.output), "counts": dict(counts), "jobs": jobs}


class RenderObserver(Protocol):
    """Told what happens, for instance to show it."""

    def planned(self, jobs: Sequence[RenderJob]) -> None: ...

    def started(self, job: RenderJob) -> None: ...

    def node(self, job: RenderJob, title: str, done: int, total: int) -> None: ...

    def steps(self, job: RenderJob, value: float, maximum: float) -> None: ...

    def finished(self, record: JobRecord, *, skipped: bool) -> None: ...


class SilentObserver:
    """Shows nothing."""

    def planned(self, jobs: Sequence[RenderJob]) -> None: ...

    def started(self, job: RenderJob) -> None: ...

    def node(self, job: RenderJob, title: str, done: int, total: int) -> None: ...

    def steps(self, job: RenderJob, value: float, maximum: float) -> None: ...

    def finished(self, record: JobRecord, *, skipped: bool) -> None: ...


def render_workflows(
    workflow_paths: Sequence[Path],
    *,
    server_url: str,
    output: Path,
    assignments: Sequence[str] = (),
    table: Path | None = None,
    table_encoding: str | None = None,
    force: bool = False,
    observer: RenderObserver | None = None,
) -> RenderReport:
    """Renders workflow files on a running server into `output`, and keeps the manifest there.

    Jobs whose manifest entry is done with the same nodes, values, files, databases and ComfyUI version are skipped
    unless `force`.
    Raises RenderError subclasses before the first job; a job's own failure is in the report.
    """
    workflows = [read_workflow(path) for path in workflow_paths]
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RenderError(
            f"Cannot use {output} as output folder: {error.strerror or error}. Choose another."
        ) from error
    manifest = RunManifest(output)

    async def run() -> RenderReport:
        async with ComfyUIClient(server_url) as client:
            version = await client.version()
            info = await client.object_info()
            generations = await client.database_generations()
            jobs = plan_jobs(workflows, assignments=assignments, table=table, object_info=info, encoding=table_encoding)
            batch = _Batch(client, version, generations, manifest, observer or SilentObserver(), force)
            return await batch.run(jobs)

    return asyncio.run(run())


class _Batch:
    def __init__(
        self,
        client: ComfyUIClient,
        version: str,
        generations: dict[str, int],
        manifest: RunManifest,
        observer: RenderObserver,
        force: bool,
    ) -> None:
        self.client, self.version, self.generations = client, version, generations
        self.manifest, self.observer, self.force = manifest, observer, force
        self.uploaded: dict[str, str] = {}  # sha256 -> name on the server

    async def run(self, jobs: Sequence[RenderJob]) -> RenderReport:
        self.observer.planned(jobs)
        records: list[JobRecord] = []
        skipped: list[str] = []
        lost: str | None = None
        for job in jobs:
            mark = fingerprint(job, comfyui_version=self.version, generations=self.generations)
            known = self.manifest.get(job.name)
            if known is not None and not self.force and self.manifest.is_done(job.name, mark):
                records.append(known)
                skipped.append(job.name)
                self.observer.finished(known, skipped=True)
                continue
            blank = JobRecord(
                name=job.name,
                status="not run",
                workflow=str(job.workflow.path),
                values=job.values,
                fingerprint=mark,
                comfyui_version=self.version,
                server=self.client.url,
            )
            if lost is not None:
                record = replace(blank, error=lost)
            else:
                record, lost = await self._run_job(job, blank)
            records.append(record)
            self.manifest.put(record)
            self.observer.finished(record, skipped=False)
        return RenderReport(records=tuple(records), skipped=tuple(skipped), output=self.manifest.folder)

    async def _run_job(self, job: RenderJob, blank: JobRecord) -> tuple[JobRecord, str | None]:
        """The job's record, and why the server is gone if it is."""
        self.observer.started(job)
        started = time.monotonic()
        lost: str | None = None
        try:
            run = await self.client.run(await self._with_uploads(job), self._events(job))
            outputs = await self._fetch(job, run)
            record = replace(
                blank,
                status="done",
                prompt_id=run.prompt_id,
                outputs=outputs,
                shown=run.shown,
                node_seconds={node: round(seconds, 3) for node, seconds in run.node_seconds.items()},
                cached_nodes=tuple(run.cached_nodes),
            )
        except JobFailed as error:
            record = replace(blank, status="failed", error=str(error), node_errors=tuple(error.node_errors))
        except ComfyUIConnectionError as error:
            record = replace(blank, status="failed", error=str(error))
            lost = await self._why_lost(str(error))
        except asyncio.CancelledError:
            self.manifest.put(replace(blank, status="interrupted", error="Interrupted by the user."))
            raise
        finished = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return replace(record, seconds=round(time.monotonic() - started, 3), finished=finished), lost

    async def _why_lost(self, reason: str) -> str | None:
        try:
            await self.client.version()
        except ComfyUIConnectionError:
            return f"Not run, as the server was lost before: {reason}"
        return None

    async def _with_uploads(self, job: RenderJob) -> ApiGraph:
        graph = {node_id: {**node, "inputs": dict(node["inputs"])} for node_id, node in job.graph.items()}
        for file in job.files:
            sha256 = file_sha256(file.path)
            if sha256 not in self.uploaded:
                self.uploaded[sha256] = await self.client.upload(file.path, sha256=sha256)
            graph[file.node_id]["inputs"][file.input_name] = self.uploaded[sha256]
        return graph

    def _events(self, job: RenderJob) -> Any:
        seen: set[str] = set()

        def on_event(kind: str, data: dict[str, Any]) -> None:
            if kind == "execution_cached":
                seen.update(str(node) for node in data.get("nodes", []))
            elif kind == "executing" and data.get("node") is not None:
                node_id = shown_node(data)
                self.observer.node(job, _title(job, node_id), len(seen), len(job.graph))
                seen.add(node_id)
            elif kind == "progress":
                self.observer.steps(job, float(data.get("value", 0)), float(data.get("max", 1)))

        return on_event

    async def _fetch(self, job: RenderJob, run: PromptRun) -> tuple[OutputFile, ...]:
        """Results become <job>.<ext>, <job>_2.<ext>, ...; what a node only showed becomes <job>_preview.<ext>, ..."""
        files = [file for file in run.files if file.kind in ("output", "temp")]
        if not any(file.kind == "output" for file in files):
            raise JobFailed("The workflow ended without a saved file. Add a node that saves, such as Save Video.")
        outputs: list[OutputFile] = []
        used: set[str] = set()
        for file in sorted(files, key=lambda f: f.kind):  # what was saved before what was shown
            name = _free_name(job.name, file, used)
            sha256, size_bytes = await self.client.download(file, self.manifest.folder / name)
            kind = "output" if file.kind == "output" else "preview"
            title = _title(job, file.node_id)
            outputs.append(OutputFile(name, file.node_id, title, kind, sha256, size_bytes))
        return tuple(outputs)


def _free_name(job_name: str, file: ServerFile, used: set[str]) -> str:
    stem = job_name if file.kind == "output" else f"{job_name}_preview"
    suffix = Path(file.filename).suffix
    name, number = f"{stem}{suffix}", 1
    while name in used:
        number += 1
        name = f"{stem}_{number}{suffix}"
    used.add(name)
    return name


def _title(job: RenderJob, node_id: str) -> str:
    node = job.graph.get(node_id, {})
    return str(node.get("_meta", {}).get("title") or node.get("class_type") or node_id)

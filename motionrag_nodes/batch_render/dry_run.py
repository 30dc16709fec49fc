"""The plan of a batch without rendering it: what would run where, what is done already, and about how long it takes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from motionrag_nodes.batch_render.check import CheckedJob
from motionrag_nodes.batch_render.results.manifest import JobRecord, RunManifest


@dataclass(frozen=True)
class PlannedJob:
    """One job of a plan. `servers`: those that can run it; `done`: its results are there and nothing has changed."""

    name: str
    workflow: str
    values: dict[str, str]
    files: tuple[str, ...]
    servers: tuple[str, ...]
    fingerprint: str
    done: bool


@dataclass(frozen=True)
class BatchPlan:
    """What a run would do. `estimate_sec`: from earlier jobs of the same workflows; None where there are none."""

    jobs: tuple[PlannedJob, ...]
    estimate_sec: float | None
    free_disk_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, with counts."""
        waiting = sum(not job.done for job in self.jobs)
        counts = {"jobs": len(self.jobs), "done": len(self.jobs) - waiting, "to_render": waiting}
        return {"dry_run": True, "counts": counts, **json.loads(json.dumps(asdict(self)))}


def make_plan(
    checked: Sequence[CheckedJob],
    done: Mapping[str, JobRecord],
    *,
    servers: Sequence[str],
    manifest: RunManifest,
    free_disk_bytes: int,
) -> BatchPlan:
    """`servers`: addresses, by the positions that the checked jobs name."""
    jobs = tuple(
        PlannedJob(
            name=c.job.name,
            workflow=str(c.job.workflow.path),
            values=c.job.values,
            files=tuple(str(file.path) for file in c.job.files),
            servers=tuple(servers[position] for position in c.fingerprints),
            fingerprint=next(iter(c.fingerprints.values())),
            done=c.job.name in done,
        )
        for c in checked
    )
    return BatchPlan(jobs, _estimate(jobs, manifest, len(servers)), free_disk_bytes)


def _estimate(jobs: Sequence[PlannedJob], manifest: RunManifest, servers: int) -> float | None:
    """The waiting jobs' seconds, spread over the servers, as jobs of the same workflow took before."""
    taken: dict[str, list[float]] = {}
    for record in manifest.records():
        if record.status == "done":
            taken.setdefault(record.workflow, []).append(record.seconds)
    waiting = [job for job in jobs if not job.done]
    if not all(job.workflow in taken for job in waiting):
        return None
    return sum(statistics.median(taken[job.workflow]) for job in waiting) / servers

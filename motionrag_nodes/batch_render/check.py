"""The check of a whole batch before its first job: which server can run which job, and why none can."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from motionrag_nodes.batch_render.errors import BatchRefused, RenderError
from motionrag_nodes.batch_render.jobs.fingerprint import fingerprint
from motionrag_nodes.batch_render.jobs.plan import RenderJob
from motionrag_nodes.batch_render.jobs.validate import (
    Problem,
    dangling_links,
    is_offered,
    output_nodes,
    packs_of,
    problems,
    saving_nodes,
    server_files,
)
from motionrag_nodes.batch_render.results.manifest import JobRecord, RunManifest
from motionrag_nodes.batch_render.results.names import NameTemplate, check_unique, node_names
from motionrag_nodes.batch_render.server.answers import node_name
from motionrag_nodes.batch_render.server.facts import ServerFacts, look_at_inputs

_SHOWN_PROBLEMS = 12
_LEAST_FREE_BYTES = 200 * 2**20


@dataclass(frozen=True)
class CheckedJob:
    """A job, and its fingerprint on each server (by position) that can run it."""

    job: RenderJob
    fingerprints: dict[int, str]
    output_nodes: tuple[str, ...]
    saving_nodes: tuple[str, ...]


def check_batch(
    jobs: Sequence[RenderJob], servers: Sequence[ServerFacts], *, template: NameTemplate, output: Path
) -> list[CheckedJob]:
    """Raises BatchRefused, which lists what is wrong with every job, or RenderError: names, disk."""
    refused: dict[str, list[str]] = {}  # what is wrong -> jobs
    checked: list[CheckedJob] = []
    for workflow in {id(job.workflow): job.workflow for job in jobs}.values():
        for problem in dangling_links(workflow):
            refused.setdefault(f"{workflow.path}: {problem}", []).extend(j.name for j in jobs if j.workflow is workflow)
    for facts in servers:
        names = {
            str(job.graph[node]["inputs"][name])
            for job in jobs
            for node, name in server_files(job.graph, facts.object_info, job.files)
        }
        look_at_inputs(facts, sorted(names))
    for job in jobs:
        marks: dict[int, str] = {}
        wrong: list[Problem] = []
        for index, facts in enumerate(servers):
            mark, found = fingerprint_at(job, facts)
            if mark is None:
                wrong = wrong or found
            else:
                marks[index] = mark
        if not marks:
            for text in _texts(job, wrong):
                refused.setdefault(text, []).append(job.name)
        used = servers[next(iter(marks), 0)].object_info
        checked.append(CheckedJob(job, marks, output_nodes(job.graph, used), saving_nodes(job.graph, used)))
    if refused:
        raise BatchRefused(_refusal(refused, len(servers)))
    check_unique(template, {c.job.name: node_names(c.job.graph).values() for c in checked})
    free_bytes = free_disk_bytes(output)
    if free_bytes < _LEAST_FREE_BYTES:
        raise RenderError(
            f"Expected at least {_LEAST_FREE_BYTES / 2**20:.0f} MiB free for {output}, found {free_bytes / 2**20:.0f} "
            "MiB: make room, or choose another --output."
        )
    return checked


def fingerprint_at(job: RenderJob, facts: ServerFacts) -> tuple[str | None, list[Problem]]:
    """The job's fingerprint on a server, or None and why it cannot run there."""
    found = _problems_at(job, facts)
    if found:
        return None, found
    hashes = {
        (node, name): facts.inputs.get(job.graph[node]["inputs"][name])
        for node, name in server_files(job.graph, facts.object_info, job.files)
    }
    mark = fingerprint(job, comfyui_version=facts.version, generations=facts.generations, server_files=hashes)
    return mark, []


def done_before(jobs: Sequence[CheckedJob], manifest: RunManifest) -> dict[str, JobRecord]:
    """The records of the jobs that were rendered from the very same things, and whose files are all there."""
    found: dict[str, JobRecord] = {}
    for checked in jobs:
        record = manifest.get(checked.job.name)
        if record is not None and manifest.is_done(record.name, set(checked.fingerprints.values())):
            found[record.name] = record
    return found


def free_disk_bytes(output: Path) -> int:
    """Room on the disk of an output folder, which need not be there yet."""
    there = next(path for path in (output.absolute(), *output.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def _problems_at(job: RenderJob, facts: ServerFacts) -> list[Problem]:
    found = problems(job.graph, facts.object_info, files=job.files)
    for node, name in server_files(job.graph, facts.object_info, job.files):
        value = job.graph[node]["inputs"][name]
        if facts.inputs.get(value) is None and not is_offered(job.graph, node, name, facts.object_info):
            text = (
                f"{name} is {value!r}: expected a file beside the workflow or the job table, or one in the server's "
                "input folder, and there is none"
            )
            found.append(Problem("file", node_name(node, job.graph), text))
    return found


def _texts(job: RenderJob, wrong: Sequence[Problem]) -> list[str]:
    packs = packs_of(job.workflow)
    texts = []
    for problem in wrong:
        pack = packs.get(problem.text.rpartition(" ")[2]) if problem.kind == "node" else None
        texts.append(f"{problem} (it comes with {pack})" if pack else str(problem))
    return texts


def _refusal(refused: dict[str, list[str]], servers: int) -> str:
    listed = []
    for text, names in list(refused.items())[:_SHOWN_PROBLEMS]:
        whose = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        listed.append(f"{text} [{whose}]")
    more = f" And {len(refused) - _SHOWN_PROBLEMS} more." if len(refused) > _SHOWN_PROBLEMS else ""
    where = "the server" if servers == 1 else f"any of the {servers} servers"
    return f"Nothing was rendered: these jobs cannot run on {where}. {'; '.join(listed)}.{more}"

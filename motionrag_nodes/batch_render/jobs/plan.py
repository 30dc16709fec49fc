"""Expands workflows x (--set values, job table rows) into jobs, all checked before the first one is queued."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from motionrag_nodes.batch_render.errors import JobTableError, MotionRAGError, RenderError
from motionrag_nodes.batch_render.jobs.node_values import LocalFile, apply_values, parse_assignment, saved_local_files
from motionrag_nodes.batch_render.workflow_file import ApiGraph, ObjectInfo, WorkflowFile, to_api_graph

NAME_COLUMN = "name"
_DATABASE_INPUT = "database"  # as the nodes that open a motion database call its name


@dataclass(frozen=True)
class TableRow:
    """One row of a job table: values by "NODE.INPUT"; empty cells leave the workflow's own value."""

    number: int  # line in the file, header = 1
    name: str | None
    values: dict[str, str]


@dataclass(frozen=True)
class RenderJob:
    """One queueing of one workflow. `files` are uploaded first and replace the paths in `graph`."""

    name: str  # unique in the run; files in the output folder begin with it
    workflow: WorkflowFile
    values: dict[str, str]
    graph: ApiGraph
    files: tuple[LocalFile, ...]


def read_job_table(path: Path) -> list[TableRow]:
    """Reads a CSV whose columns are NODE.INPUT, with an optional `name` column.

    Raises JobTableError: unreadable, no rows, a column of another form, a row with more cells than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            records = [(reader.line_num, record) for record in reader]
            columns = [column.strip() for column in reader.fieldnames or []]
    except OSError as error:
        raise JobTableError(f"Cannot read job table {path}: {error.strerror or error}. Check the path.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise JobTableError(f"{path} is not a CSV table in UTF-8 ({error}). Export it as CSV, UTF-8.") from error
    wrong = [column for column in columns if column != NAME_COLUMN and "." not in column]
    if wrong or len(set(columns)) != len(columns):
        raise JobTableError(
            f"{path} has columns {', '.join(map(repr, columns))}; expected distinct columns of the form NODE.INPUT "
            f"and optionally {NAME_COLUMN!r}. Rename {', '.join(map(repr, wrong)) or 'the doubled ones'}."
        )
    rows = []
    for number, record in records:
        if None in record:
            raise JobTableError(f"{path}, line {number} has more cells than the header. Quote values that hold commas.")
        cells = {str(k).strip(): v.strip() for k, v in record.items() if v is not None and v.strip()}
        if not cells:  # spreadsheets export their empty rows, too
            continue
        rows.append(TableRow(number=number, name=cells.pop(NAME_COLUMN, None), values=cells))
    if not rows:
        raise JobTableError(f"{path} has no rows under its header. Add a row per job.")
    return rows


def plan_jobs(
    workflows: Sequence[WorkflowFile],
    *,
    assignments: Sequence[str],
    table: Path | None,
    object_info: ObjectInfo,
) -> list[RenderJob]:
    """Every workflow with every row. A row's value wins over `--set`. Nothing has been sent to the server yet.

    Raises RenderError subclasses; a problem of a row names its line.
    """
    common = dict(parse_assignment(text) for text in assignments)
    rows = read_job_table(table) if table else [None]
    jobs: list[RenderJob] = []
    for workflow in workflows:
        base = to_api_graph(workflow, object_info)
        saved = saved_local_files(base, object_info=object_info, folder=workflow.path.parent)
        for index, row in enumerate(rows):
            values = {**common, **(row.values if row else {})}
            folder = table.parent if table else Path.cwd()
            try:
                graph, files = apply_values(base, values, object_info=object_info, files_from=folder)
            except MotionRAGError as error:
                place = f"{table}, line {row.number}: " if row else f"{workflow.path}: "
                raise type(error)(f"{place}{error}") from error
            chosen = {(file.node_id, file.input_name) for file in files}
            untouched = [f for f in saved if graph[f.node_id]["inputs"].get(f.input_name) == _value(base, f)]
            files += [file for file in untouched if (file.node_id, file.input_name) not in chosen]
            name = _job_name(workflow, row, index=index, only_workflow=len(workflows) == 1)
            jobs.append(RenderJob(name=name, workflow=workflow, values=values, graph=graph, files=tuple(files)))
    _check_names(jobs)
    return jobs


def fingerprint(job: RenderJob, *, comfyui_version: str, generations: Mapping[str, int] | None = None) -> str:
    """Hash of all that makes the result: nodes, inputs, local files' contents, ComfyUI's version; not the name.

    `generations` of motion databases: those of the databases that the job names count, since what is found depends on
    what they hold.
    """
    graph = {i: {"class_type": n["class_type"], "inputs": dict(n["inputs"])} for i, n in job.graph.items()}
    for file in job.files:
        graph[file.node_id]["inputs"][file.input_name] = f"sha256:{file_sha256(file.path)}"
    content: dict[str, object] = {"graph": graph, "comfyui": comfyui_version}
    named = {str(node["inputs"].get(_DATABASE_INPUT)) for node in job.graph.values()}
    used = {name: generation for name, generation in (generations or {}).items() if name in named}
    if used:
        content["databases"] = used
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _value(graph: ApiGraph, file: LocalFile) -> object:
    return graph[file.node_id]["inputs"].get(file.input_name)


def _job_name(workflow: WorkflowFile, row: TableRow | None, *, index: int, only_workflow: bool) -> str:
    if row is None:
        return _safe(workflow.name)
    if row.name is None:
        return f"{_safe(workflow.name)}_{index + 1:03d}"
    return _safe(row.name) if only_workflow else f"{_safe(workflow.name)}_{_safe(row.name)}"


def _safe(name: str) -> str:
    """A name that is one file name on every system."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:100] or "job"


def _check_names(jobs: Sequence[RenderJob]) -> None:
    seen: set[str] = set()
    doubled = sorted({j.name for j in jobs if j.name.lower() in seen or seen.add(j.name.lower())})  # type: ignore[func-returns-value]
    if doubled:
        raise RenderError(
            f"Several jobs are named {', '.join(doubled)}, and their files would overwrite each other. "
            f"Give the rows distinct names, or the workflow files."
        )

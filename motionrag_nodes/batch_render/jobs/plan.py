"""Expands workflows x (--set values, job table rows) into jobs, all checked before the first one is queued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index_builder.errors import MotionRAGError
from motionrag_nodes.batch_render.jobs.names import check_distinct, content_ids, safe_name
from motionrag_nodes.batch_render.jobs.node_paths import Names, inner_names
from motionrag_nodes.batch_render.jobs.node_values import (
    LocalFile,
    apply_values,
    find_targets,
    parse_assignment,
    saved_local_files,
)
from motionrag_nodes.batch_render.jobs.table import TableRow, read_job_table
from motionrag_nodes.batch_render.jobs.typed_workflow import TypedValue, TypedWorkflow
from motionrag_nodes.batch_render.workflow_file import ApiGraph, ObjectInfo, WorkflowFile, to_api_graph

_SHOWN_PROBLEMS = 12


@dataclass(frozen=True)
class RenderJob:
    """One queueing of one workflow. `files` are uploaded first and replace the paths in `graph`."""

    name: str  # unique in the run; files in the output folder are named after it
    workflow: WorkflowFile
    values: dict[str, str]
    graph: ApiGraph
    files: tuple[LocalFile, ...]
    typed: tuple[TypedValue, ...] | None = None  # into the workflow; None: it has no place for the values
    undated: ApiGraph | None = None  # the graph without the present time, where it holds that


@dataclass(frozen=True)
class _Table:
    """A table that was read, and where it lies: files that it names are looked for there."""

    path: Path
    rows: tuple[TableRow, ...]


def plan_jobs(
    workflows: Sequence[WorkflowFile],
    *,
    assignments: Sequence[str],
    table: Path | None,
    object_info: ObjectInfo,
    encoding: str | None = None,
) -> list[RenderJob]:
    """Every workflow with every row. A row's value wins over `--set`. Nothing has been sent to the server yet.

    Raises RenderError subclasses; a problem of a row names its line.
    """
    common = dict(parse_assignment(text) for text in assignments)
    rows = _Table(table, tuple(read_job_table(table, encoding=encoding))) if table else None
    jobs: list[RenderJob] = []
    given: list[str] = []
    wrong: list[MotionRAGError] = []
    for workflow in workflows:
        expanded = _Expansion(workflow, common, rows, object_info)
        for name, job in expanded.jobs(alone=len(workflows) == 1):
            given.append(name)
            if isinstance(job, RenderJob):
                jobs.append(job)
            else:
                wrong.append(job)
    if wrong:
        more = f" And {len(wrong) - _SHOWN_PROBLEMS} more." if len(wrong) > _SHOWN_PROBLEMS else ""
        raise type(wrong[0])("\n".join(str(error) for error in wrong[:_SHOWN_PROBLEMS]) + more)
    check_distinct([(name, job.name) for name, job in zip(given, jobs, strict=True)])
    return jobs


class _Expansion:
    """One workflow with all rows: what is the same in every row is found once."""

    def __init__(
        self, workflow: WorkflowFile, common: dict[str, str], table: _Table | None, object_info: ObjectInfo
    ) -> None:
        self.workflow, self.common, self.table, self.object_info = workflow, common, table, object_info
        self.graph = to_api_graph(workflow, object_info)
        self.folder = table.path.parent if table else Path.cwd()
        self.editor = TypedWorkflow(workflow, object_info) if workflow.ui_form else None
        self.saved = saved_local_files(self.graph, object_info=object_info, folder=workflow.path.parent)
        inner = inner_names(workflow)
        self.set_targets = self._targets(common, inner, str(workflow.path))
        # Rows name their inputs by columns that most of them share.
        first_lines: dict[str, int] = {}
        for row in table.rows if table else ():
            for column in row.values:
                first_lines.setdefault(column, row.number)
        self.row_targets: dict[str, tuple[str, str]] = {}
        for column, line in first_lines.items():
            place = f"{table.path if table else ''}, line {line}"
            self.row_targets |= self._targets({column: line}, inner, place)
        self._targets(first_lines, inner, str(table.path if table else ""))  # no two columns for one input

    def jobs(self, *, alone: bool) -> list[tuple[str, RenderJob | MotionRAGError]]:
        """(name as given, job, or what is wrong with it) of every row."""
        if self.table is None:
            return [(self.workflow.name, self._job(None, safe_name(self.workflow.name)))]
        ids = content_ids([row.values for row in self.table.rows if row.name is None])
        unnamed = iter(ids)
        found: list[tuple[str, RenderJob | MotionRAGError]] = []
        for row in self.table.rows:
            own = row.name if row.name is not None else f"{self.workflow.name}_{next(unnamed)}"
            prefix = "" if alone or row.name is None else f"{safe_name(self.workflow.name)}_"
            found.append((own, self._job(row, safe_name(prefix + safe_name(own)))))
        return found

    def _job(self, row: TableRow | None, name: str) -> RenderJob | MotionRAGError:
        overridden = {self.row_targets[column] for column in row.values} if row else set()
        values = {k: v for k, v in self.common.items() if self.set_targets[k] not in overridden}
        values |= row.values if row else {}
        try:
            graph, files = apply_values(
                self.graph,
                values,
                object_info=self.object_info,
                files_from=self.folder,
                targets={**self.set_targets, **self.row_targets},
                decimal_comma=bool(row and row.decimal_comma),
            )
        except MotionRAGError as error:
            place = f"{self.table.path}, line {row.number}" if row and self.table else str(self.workflow.path)
            return type(error)(f"{place}: {error}")
        set_now = {self.row_targets.get(k) or self.set_targets[k] for k in values}
        files += [file for file in self.saved if (file.node_id, file.input_name) not in set_now]
        job = RenderJob(name=name, workflow=self.workflow, values=values, graph=graph, files=tuple(files))
        if self.editor is None:
            return job
        inputs = sorted(set_now | {(file.node_id, file.input_name) for file in files})
        made = self.editor.job(graph, inputs, values)
        return replace(job, graph=made.graph, typed=made.typed, undated=made.undated)

    def _targets(
        self, written: dict[str, str] | dict[str, int], inner: Names, place: str
    ) -> dict[str, tuple[str, str]]:
        try:
            return find_targets(written, self.graph, object_info=self.object_info, inner_names=inner)
        except MotionRAGError as error:
            raise type(error)(f"{place}: {error}") from error

"""What a server's queue holds of a job: all that is needed to render it, on this machine or another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.errors import JobFailed
from motionrag_nodes.batch_render.jobs.typed_workflow import TypedValue
from motionrag_nodes.batch_render.results.names import STATE_FOLDER
from motionrag_nodes.batch_render.workflow_file import ApiGraph

FOLDER_MAPS: dict[str, str] = {}  # of this process: an output folder elsewhere -> where it is mounted here
FOLDER_MARK = "folder_id"  # a file in the state folder: a folder that is mounted elsewhere is known by it


@dataclass(frozen=True)
class OrderFile:
    """A local file among a job's inputs. `path` is absolute, or relative to the output folder."""

    node_id: str
    input_name: str
    path: str
    sha256: str


@dataclass(frozen=True)
class JobOrder:
    """One rendering of one job. `run` is a UUID of this rendering: prompts are named after it."""

    name: str
    server: str  # key of the server's queue
    run: str
    graph: ApiGraph
    files: tuple[OrderFile, ...]
    output_nodes: tuple[str, ...]  # that the server must accept
    saving_nodes: tuple[str, ...]  # that must give a file each
    workflow_file: str | None  # the workflow in the editor's form, for the files that the server saves
    typed: tuple[TypedValue, ...]  # values that are typed into it
    output: str
    template: str
    folder_id: str | None = None  # of an output folder that several machines share

    @property
    def folder(self) -> Path:
        """The output folder on this machine. Raises JobFailed: another folder lies there, or none."""
        here = Path(self.output)
        for there, mounted in FOLDER_MAPS.items():
            if self.output == there or self.output.startswith(f"{there}/"):
                here = Path(mounted + self.output[len(there) :])
        mark = here / STATE_FOLDER / FOLDER_MARK
        if self.folder_id is not None and (not mark.is_file() or mark.read_text().strip() != self.folder_id):
            raise JobFailed(
                f"Expected the output folder of this batch at {here}, found another here. Share it between all "
                "machines, and tell the worker where it is mounted: --folder-map FROM=TO."
            )
        return here

    def place(self, path: str) -> Path:
        """Where a file lies on this machine. Raises JobFailed: not here."""
        found = self.folder / path
        if not found.is_file():
            raise JobFailed(
                f"Expected the file {found} that the job names, found none on this machine: share its folder."
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> JobOrder:
        """The inverse of `as_dict`."""
        files = tuple(OrderFile(**file) for file in data["files"])
        typed = tuple(TypedValue.from_dict(item) for item in data["typed"])
        nodes = {key: tuple(data[key]) for key in ("output_nodes", "saving_nodes")}
        return JobOrder(**{**data, "files": files, "typed": typed, **nodes})

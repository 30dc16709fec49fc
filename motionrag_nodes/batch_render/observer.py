"""Who watches a batch: told what happens, to show it, or to write it down for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from motionrag_nodes.batch_render.jobs.plan import RenderJob
from motionrag_nodes.batch_render.results.manifest import JobRecord


class RenderObserver(Protocol):
    """Called from several threads, one at a time for each server."""

    def planned(self, jobs: Sequence[RenderJob]) -> None:
        """Before the first job: all that are to be run."""
        ...

    def started(self, job: RenderJob) -> None:
        """A server took the job."""
        ...

    def node(self, job: RenderJob, title: str, done: int, total: int) -> None:
        """A node of it begins; `done` of the `total` in the prompt came before it."""
        ...

    def steps(self, job: RenderJob, value: float, maximum: float) -> None:
        """How far the node is."""
        ...

    def finished(self, record: JobRecord, *, skipped: bool) -> None:
        """The job ended as `record` says; `skipped`: it was done before."""
        ...

    def note(self, text: str) -> None:
        """Something that is worth a line."""
        ...


class SilentObserver:
    """Shows nothing."""

    def planned(self, jobs: Sequence[RenderJob]) -> None: ...

    def started(self, job: RenderJob) -> None: ...

    def node(self, job: RenderJob, title: str, done: int, total: int) -> None: ...

    def steps(self, job: RenderJob, value: float, maximum: float) -> None: ...

    def finished(self, record: JobRecord, *, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

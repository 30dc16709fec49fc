"""Who watches a batch: told what happens, to show it, or to write it down for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from motionrag_nodes.batch_render.jobs.plan import RenderJob
from motionrag_nodes.batch_render.results.manifest import JobRecord


class RenderObserver(Protocol):
    """Called from several threads, one at a time for each server."""

    def planned(self, jobs: Sequence[RenderJob]) -> None: ...

    def started(self, job: RenderJob) -> None: ...

    def node(self, job: RenderJob, title: str, done: int, total: int) -> None: ...

    def steps(self, job: RenderJob, value: float, maximum: float) -> None: ...

    def finished(self, record: JobRecord, *, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...


class SilentObserver:
    """Shows nothing."""

    def planned(self, jobs: Sequence[RenderJob]) -> None: ...

    def started(self, job: RenderJob) -> None: ...

    def node(self, job: RenderJob, title: str, done: int, total: int) -> None: ...

    def steps(self, job: RenderJob, value: float, maximum: float) -> None: ...

    def finished(self, record: JobRecord, *, skipped: bool) -> None: ...

    def note(self, text: str) -> None: ...

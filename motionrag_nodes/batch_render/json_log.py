"""A batch as lines of JSON, one an event, for programs that follow it."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import IO, Any

from index_builder.plain_text import shown
from motionrag_nodes.batch_render.jobs.plan import RenderJob
from motionrag_nodes.batch_render.results.manifest import JobRecord


class JsonLog:
    """Writes {"time", "event", ...}: planned, started, node, steps, finished, note."""

    def __init__(self, out: IO[str]) -> None:
        self._out, self._lock = out, threading.Lock()

    def planned(self, jobs: Sequence[RenderJob]) -> None:
        self._write("planned", jobs=[job.name for job in jobs])

    def started(self, job: RenderJob) -> None:
        self._write("started", job=job.name)

    def node(self, job: RenderJob, title: str, done: int, total: int) -> None:
        self._write("node", job=job.name, node=title, done=done, total=total)

    def steps(self, job: RenderJob, value: float, maximum: float) -> None:
        self._write("steps", job=job.name, value=value, maximum=maximum)

    def finished(self, record: JobRecord, *, skipped: bool) -> None:
        self._write("finished", job=record.name, skipped=skipped, record=asdict(record))

    def note(self, text: str) -> None:
        self._write("note", text=text)

    def _write(self, event: str, **content: Any) -> None:
        stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        with self._lock:
            line = json.dumps({"time": stamp, "event": event, **content}, ensure_ascii=False)
            self._out.write(shown(line) + "\n")
            self._out.flush()

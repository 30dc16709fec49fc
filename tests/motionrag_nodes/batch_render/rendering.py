"""Renders workflows on one server, as most tests do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.observer import RenderObserver
from motionrag_nodes.batch_render.request import RenderRequest
from motionrag_nodes.batch_render.run import RenderReport, render_workflows
from motionrag_nodes.batch_render.server.access import parse_access
from motionrag_nodes.batch_render.server.target import Target


def render_on(
    url: str, workflow: Path, output: Path, *, observer: RenderObserver | None = None, **asked: Any
) -> RenderReport:
    """`asked`: more fields of the request."""
    request = RenderRequest([workflow], output, **asked)
    return render_workflows(request, targets=[Target(parse_access(url))], observer=observer)

"""Renders workflows on one server, as most tests do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.observer import RenderObserver
from motionrag_nodes.batch_render.request import RenderRequest
from motionrag_nodes.batch_render.run import RenderReport, render_workflows
from motionrag_nodes.batch_render.server.access import parse_access
from motionrag_nodes.batch_render.server.client import DEFAULT_PATIENCE_SEC
from motionrag_nodes.batch_render.server.target import Target


def render_on(
    url: str,
    workflow: Path,
    output: Path,
    *,
    observer: RenderObserver | None = None,
    patience_sec: float = DEFAULT_PATIENCE_SEC,
    **asked: Any,
) -> RenderReport:
    """`asked`: more fields of the request."""
    request, targets = RenderRequest([workflow], output, **asked), [Target(parse_access(url))]
    return render_workflows(request, targets=targets, patience_sec=patience_sec, observer=observer)

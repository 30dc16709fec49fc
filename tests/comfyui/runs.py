"""Queues graphs on the running ComfyUI and tells what it reported: events, cached nodes, values shown, memory."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
from PIL import Image

from motionrag_nodes.batch_render.errors import JobFailed
from motionrag_nodes.batch_render.server.answers import PromptRun, read_end
from motionrag_nodes.batch_render.server.client import ComfyUIClient
from motionrag_nodes.batch_render.server.events import OnEvent
from tests.comfyui.conftest import RunningComfyUI

Graph = dict[str, dict[str, Any]]
Event = tuple[str, dict[str, Any]]


@dataclass
class Reported:
    """All that the server said of one run, in order; `run` is None when it failed, and `failure` says why."""

    events: list[Event] = field(default_factory=list)
    run: PromptRun | None = None
    failure: str = ""

    @property
    def executed(self) -> set[str]:
        """The nodes that ran, of all that the graph has."""
        return {str(data["node"]) for kind, data in self.events if kind == "executing" and data.get("node") is not None}

    def shown(self, node: str) -> dict[str, Any]:
        assert self.run is not None, self.failure
        return self.run.shown[node]


def queue(
    comfyui: RunningComfyUI, graph: Graph, on_event: Callable[[str, dict[str, Any]], None] | None = None
) -> Reported:
    """Runs a graph to its end."""
    return queue_all(comfyui, [graph], on_event)[0]


def frames_before_encoding(comfyui: RunningComfyUI, graph: Graph, images: list[Any]) -> np.ndarray:
    """uint8 [T, H, W, 3] of the IMAGE output [node, slot] of a graph, kept without loss.

    x264 on several threads does not always make the same video of the same frames, so those cannot be compared exactly.
    """
    keeper = "keeper"
    kept = {"class_type": "SaveImage", "inputs": {"images": images, "filename_prefix": "frames"}}
    reported = queue(comfyui, {**graph, keeper: kept})
    assert reported.run is not None, f"{reported.failure}\n{comfyui.server.log_tail(40)}"
    files = [file for file in reported.run.files if file.node_id == keeper]
    paths = [comfyui.server.base / "output" / file.subfolder / file.filename for file in files]
    return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])


def queue_all(
    comfyui: RunningComfyUI, graphs: list[Graph], on_event: Callable[[str, dict[str, Any]], None] | None = None
) -> list[Reported]:
    """Runs graphs one after the other as one user of the page."""

    async def run_all() -> list[Reported]:
        found = []
        async with ComfyUIClient(comfyui.url) as client:
            for graph in graphs:
                report = Reported()

                def note(kind: str, data: dict[str, Any], report: Reported = report) -> None:
                    report.events.append((kind, data))
                    if on_event is not None:
                        on_event(kind, data)

                try:
                    report.run = await _run(client, graph, note)
                except JobFailed as error:
                    report.failure = str(error)
                found.append(report)
        return found

    return asyncio.run(run_all())


async def _run(client: ComfyUIClient, graph: Graph, on_event: OnEvent) -> PromptRun:
    await client.listen()
    run = PromptRun(await client.submit(graph, prompt_id=str(uuid.uuid4())))
    read_end(run, await client.follow(run, on_event), graph)
    return run


def server_process(comfyui: RunningComfyUI) -> psutil.Process:
    """ComfyUI's own process, a child of the tests'."""
    port = str(comfyui.server.port)
    return next(child for child in psutil.Process().children(recursive=True) if port in child.cmdline())


def resident_mb(comfyui: RunningComfyUI) -> float:
    """Memory that the server holds, in MiB."""
    return server_process(comfyui).memory_info().rss / 2**20

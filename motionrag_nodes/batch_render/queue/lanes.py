"""A server as the jobs of this process see it: one prompt of ours at a time, uploads once, our own one restarted."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.errors import ResultsGone
from motionrag_nodes.batch_render.server.access import Access
from motionrag_nodes.batch_render.server.answers import PromptRun
from motionrag_nodes.batch_render.server.client import DEFAULT_PATIENCE_SEC, ComfyUIClient
from motionrag_nodes.batch_render.server.target import OwnServer, Target
from motionrag_nodes.batch_render.workflow_file import ApiGraph, is_link


def queue_key(url: str) -> str:
    """Name of a server's queue: the same on every machine that writes its address the same way."""
    return f"server-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


@dataclass
class Lane:
    """One server. What it holds of asyncio belongs to the event loop in which jobs run."""

    access: Access
    key: str
    patience_sec: float = DEFAULT_PATIENCE_SEC
    own: OwnServer | None = None
    on_event: Callable[[str, str, dict[str, Any]], None] | None = None  # job name, kind, data
    on_start: Callable[[str], None] | None = None
    on_end: Callable[[], None] | None = None
    current: dict[str, str] = field(default_factory=dict)  # job name -> prompt id, of what stands at the server
    fresh: set[str] = field(default_factory=set)  # renderings that this process itself began
    written: dict[tuple[str, str, str], str] = field(default_factory=dict)  # file at the server -> by what it was made
    stopping: bool = False
    _client: ComfyUIClient | None = None
    _turn: asyncio.Lock | None = None
    _uploaded: dict[str, str] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def client(self) -> ComfyUIClient:
        """Of its server, made when it is first asked for."""
        if self._client is None:
            self._loop = asyncio.get_running_loop()
            self._client = ComfyUIClient(self.access, patience_sec=self.patience_sec, gone=self._own_has_stopped)
        return self._client

    @property
    def turn(self) -> asyncio.Lock:
        """Held from a prompt's submission until its files are fetched: many nodes write the same file every time."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    async def upload(self, path: Path, sha256: str) -> str:
        """The name of a local file on the server, put there once."""
        if sha256 not in self._uploaded:
            self._uploaded[sha256] = await self.client.upload(path, sha256=sha256)
        return self._uploaded[sha256]

    async def stand_up(self) -> None:
        """Starts our own server again where it has stopped. Raises ComfyUIStartError."""
        if self.own is None or self.own.running or self.stopping:
            return
        await self._close_client()
        await asyncio.to_thread(self.own.restart)
        self.access = Access(self.own.url)
        self._uploaded.clear()

    def check_written(self, run: PromptRun, graph: ApiGraph) -> None:
        """Notes what made each file of a run. Raises ResultsGone: a cached node's file was written over since.

        Many nodes write the same name every time; one that the server takes from its cache does not write it again.
        """
        for file in run.files:
            place, maker = (file.filename, file.subfolder, file.kind), _maker(file.node_id, graph)
            if file.node_id in run.cached_nodes and self.written.get(place, maker) != maker:
                raise ResultsGone(
                    f"Expected {file.filename} on {self.access.url}, but another job wrote over it: run the job again."
                )
            self.written[place] = maker

    def stop(self) -> None:
        """From another thread: takes back what stands at the server, and closes the connection."""
        self.stopping = True
        loop = self._loop
        if loop is not None and loop.is_running():
            asyncio.run_coroutine_threadsafe(self._stop(), loop).result(15)

    async def _stop(self) -> None:
        if self._client is not None:
            for prompt_id in list(self.current.values()):
                try:
                    await asyncio.wait_for(self._client.cancel(prompt_id), 5)
                except Exception:  # the server may be what has ended
                    break
        await self._close_client()

    async def _close_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _own_has_stopped(self) -> bool:
        return self.own is not None and not self.own.running


LANES: dict[str, Lane] = {}  # of this process, by key: a durable job finds its server here


def _maker(node_id: str, graph: ApiGraph) -> str:
    """A hash of a node and of all that leads to it."""
    parts: dict[str, Any] = {}
    waiting = [node_id]
    while waiting:
        current = waiting.pop()
        if current in graph and current not in parts:
            parts[current] = [graph[current]["class_type"], graph[current]["inputs"]]
            waiting += [value[0] for value in graph[current]["inputs"].values() if is_link(value)]
    return hashlib.sha256(json.dumps([node_id, parts], sort_keys=True).encode()).hexdigest()


def lane_of(target: Target, patience_sec: float) -> Lane:
    """The lane of a server. One that this program started has a queue by its process: it ends with it."""
    key = queue_key(target.access.url) if target.own is None else f"own-{uuid.uuid4().hex}"
    return Lane(target.access, key, patience_sec, own=target.own)

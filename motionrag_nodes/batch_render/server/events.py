"""The server's websocket: progress for people to see. What has happened is told by the history, never by an event."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp

from index_builder.border import SURPRISES
from motionrag_nodes.batch_render.server.http import Http, parsed

OnEvent = Callable[[str, dict[str, Any]], None]  # kind, data
_HEARTBEAT_SEC = 30.0
_EARLY_EVENTS = 200
# ComfyUI sends preview pictures too, of a few hundred kB; events are short.
_MOST_MESSAGE_BYTES, _LONGEST_EVENT = 64 << 20, 1 << 16
_FIRST_WAIT_SEC, _LONGEST_WAIT_SEC = 0.5, 15.0


class EventStream:
    """One websocket for all prompts of a client; opened again whenever it is lost, for as long as anyone listens."""

    def __init__(self, http: Http) -> None:
        self.client_id = uuid.uuid4().hex
        self.connected = asyncio.Event()
        self._http = http
        self._listeners: dict[str, OnEvent] = {}
        self._early: deque[tuple[str, str, dict[str, Any]]] = deque(maxlen=_EARLY_EVENTS)
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def listening(self, prompt_id: str, on_event: OnEvent) -> Iterator[None]:
        """Calls `on_event` for every message about the prompt, also those that came while it was being queued."""
        for early_id, kind, data in list(self._early):
            if early_id == prompt_id:
                with contextlib.suppress(*SURPRISES):
                    on_event(kind, data)
        self._early.clear()
        self._listeners[prompt_id] = on_event
        try:
            yield
        finally:
            self._listeners.pop(prompt_id, None)

    async def open(self, timeout_sec: float) -> bool:
        """Whether events come now; waits a little for them, as those of a prompt go only to who listens already."""
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.connected.wait(), timeout_sec)
        return self.connected.is_set()

    async def close(self) -> None:
        """Ends the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        wait_sec = _FIRST_WAIT_SEC
        while True:
            with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError, OSError):
                query = {**self._http.access.query, "clientId": self.client_id}
                async with self._http.session.ws_connect(
                    self._http.access.websocket_url,
                    params=query,
                    ssl=self._http.access.tls or True,
                    heartbeat=_HEARTBEAT_SEC,
                    max_msg_size=_MOST_MESSAGE_BYTES,
                ) as websocket:
                    self.connected.set()
                    wait_sec = _FIRST_WAIT_SEC
                    async for message in websocket:
                        if message.type == aiohttp.WSMsgType.TEXT:
                            self._tell(message.data)
            self.connected.clear()
            await asyncio.sleep(wait_sec)
            wait_sec = min(2 * wait_sec, _LONGEST_WAIT_SEC)

    def _tell(self, text: str) -> None:
        """Passes on what is of the known form; custom nodes send events of any other. An event that a listener trips
        over is passed by: what has happened is told by the history."""
        if len(text) > _LONGEST_EVENT:
            return
        with contextlib.suppress(*SURPRISES):
            event = parsed(text)
            data = event.get("data") if isinstance(event, dict) else None
            prompt_id = data.get("prompt_id") if isinstance(data, dict) else None
            if not isinstance(data, dict) or not isinstance(prompt_id, str):
                return
            kind, listener = str(event.get("type")), self._listeners.get(prompt_id)
            if listener is None:
                self._early.append((prompt_id, kind, data))
            else:
                listener(kind, data)

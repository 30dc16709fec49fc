"""A small real HTTP server that speaks the part of ComfyUI's API which batch rendering uses, for the failures.

It "renders" a graph by writing the text of its inputs to a file. The filename_prefix of SaveImage says what goes wrong:
"node-error", "refuse", "vanish" (the server dies), "drop" (the websocket is cut), "silent" (no message ever comes).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from tests.motionrag_nodes.batch_render.graphs import object_info

VERSION = "0.0.1-tiny"


@dataclass
class TinyComfyUI:
    """Runs in a thread; use as a context manager."""

    folder: Path
    version: str = VERSION
    queued: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    inputs: dict[str, bytes] = field(default_factory=lambda: {"example.png": b"example"})
    cancelled: list[str] = field(default_factory=list)
    step_sec: float = 0.0
    on_request: Callable[[str, str], None] | None = None  # method and path of each request, before it is answered
    generations: dict[str, int] | None = None  # of motion databases; None: a server without our nodes
    url: str = ""
    _history: dict[str, Any] = field(default_factory=dict)
    _running: dict[str, Any] = field(default_factory=dict)
    _tasks: set[asyncio.Future[None]] = field(default_factory=set)
    _sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict)

    def __enter__(self) -> TinyComfyUI:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def forget(self) -> list[str]:
        """Empties queue and history as a restart does; gives the ids of the prompts that ran."""
        running = list(self._running)
        for task in self._tasks:
            task.cancel()
        self._running.clear()
        self._history.clear()
        return running

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._tell])
        app.router.add_get("/system_stats", self._stats)
        app.router.add_get("/object_info", self._info)
        app.router.add_get("/motionrag/databases", self._databases)
        app.router.add_get("/ws", self._websocket)
        app.router.add_get("/queue", self._queue)
        app.router.add_post("/queue", self._cancel)
        app.router.add_post("/interrupt", self._cancel)
        app.router.add_get("/history", self._get_all_history)
        app.router.add_get("/history/{prompt_id}", self._get_history)
        app.router.add_get("/view", self._view)
        app.router.add_post("/upload/image", self._upload)
        app.router.add_post("/prompt", self._prompt)
        app.router.add_post("/free", self._free)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._site = site
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]

    @web.middleware
    async def _tell(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.on_request is not None:
            self.on_request(request.method, request.path)
        response: web.StreamResponse = await handler(request)
        return response

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response({"system": {"comfyui_version": self.version}})

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response(object_info())

    async def _databases(self, _: web.Request) -> web.Response:
        return web.Response(status=404) if self.generations is None else web.json_response(self.generations)

    async def _queue(self, _: web.Request) -> web.Response:
        running = [[1, prompt_id, {}, extra, []] for prompt_id, extra in self._running.items()]
        return web.json_response({"queue_running": running, "queue_pending": []})

    async def _get_all_history(self, _: web.Request) -> web.Response:
        return web.json_response(self._history)

    async def _get_history(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        return web.json_response({prompt_id: self._history[prompt_id]} if prompt_id in self._history else {})

    async def _view(self, request: web.Request) -> web.StreamResponse:
        if request.query["type"] == "input":  # as if every server came with the example pictures
            return web.Response(body=self.inputs[request.query["filename"]])
        path = self.folder / request.query["filename"]
        return web.FileResponse(path) if path.is_file() else web.Response(status=404)

    async def _cancel(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.cancelled += body.get("delete", [])
        return web.Response()

    async def _free(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        upload = form["image"]
        name = f"{form['subfolder']}/{upload.filename}"  # type: ignore[union-attr]
        self.uploads[name] = upload.file.read()  # type: ignore[union-attr]
        return web.json_response({"name": upload.filename, "subfolder": form["subfolder"]})  # type: ignore[union-attr]

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets[request.query["clientId"]] = socket
        await socket.send_json({"type": "status", "data": {"sid": request.query["clientId"]}})
        async for _ in socket:
            pass
        return socket

    async def _prompt(self, request: web.Request) -> web.Response:
        body = await request.json()
        graph = body["prompt"]
        self.queued.append(graph)
        prefix = self._prefix(graph)
        if "refuse" in prefix:
            errors = [{"message": "Value not in list", "details": "sampler_name: 'x' not in [...]"}]
            node_errors = {"3": {"class_type": "SaveImage", "errors": errors}}
            return web.json_response({"error": {"message": "invalid"}, "node_errors": node_errors}, status=400)
        prompt_id = str(body.get("prompt_id") or uuid.uuid4().hex)
        self._running[prompt_id] = body.get("extra_data", {})
        task = asyncio.ensure_future(self._execute(prompt_id, graph, prefix, body["client_id"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.json_response({"prompt_id": prompt_id, "number": 1, "node_errors": {}})

    async def _execute(self, prompt_id: str, graph: dict[str, Any], prefix: str, client_id: str) -> None:
        socket = self._sockets.get(client_id, web.WebSocketResponse())

        async def send(kind: str, **data: Any) -> None:
            if "silent" not in prefix and client_id in self._sockets and not socket.closed:
                with contextlib.suppress(ConnectionError):  # whoever listened was killed
                    await socket.send_json({"type": kind, "data": {**data, "prompt_id": prompt_id}})

        await send("execution_start")
        await send("execution_cached", nodes=["1"])
        if "vanish" in prefix:
            await self._site.stop()
            for open_socket in self._sockets.values():
                open_socket._writer.transport.abort()  # type: ignore[union-attr]
            return
        await send("executing", node="2")
        await send("progress", value=1, max=2, node="2")
        await asyncio.sleep(self.step_sec)
        if "drop" in prefix:
            await socket.close()
        await send("executing", node="3")
        if "node-error" in prefix:
            failure = {"node_id": "2", "node_type": "ImageInvert", "exception_message": "No picture came.\n"}
            failure["exception_type"] = "builtins.ValueError"
            self._history[prompt_id] = {
                "status": {"status_str": "error", "messages": [["execution_error", failure]]},
                "outputs": {},
            }
        else:
            self._history[prompt_id] = {"status": {"status_str": "success"}, "outputs": self._results(graph, prefix)}
        self._running.pop(prompt_id, None)
        await send("executing", node=None)

    def _results(self, graph: dict[str, Any], prefix: str) -> dict[str, Any]:
        saved, shown = f"{prefix}_{len(self.queued):05d}_.txt", f"shown_{len(self.queued):05d}_.png"
        (self.folder / saved).write_text(json.dumps(graph, sort_keys=True))
        (self.folder / shown).write_text("a contact sheet")
        preview = {"images": [{"filename": shown, "subfolder": "", "type": "temp"}], "neighbours": [{"rank": 1}]}
        results: dict[str, Any] = {"2": preview}
        if "nothing" not in prefix:
            results["3"] = {"images": [{"filename": saved, "subfolder": "", "type": "output"}], "animated": [True]}
        return results

    @staticmethod
    def _prefix(graph: dict[str, Any]) -> str:
        return str(next(n["inputs"]["filename_prefix"] for n in graph.values() if n["class_type"] == "SaveImage"))

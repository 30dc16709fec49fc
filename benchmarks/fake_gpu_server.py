"""A server that speaks ComfyUI's API and whose only node waits: the renderer's own cost is what remains.

python -m benchmarks.fake_gpu_server [--seconds 1.0]; prints its address, serves until it is killed.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import zlib
from typing import Annotated, Any

import typer
from aiohttp import web

_KIND = "SaveWait"
OBJECT_INFO: dict[str, Any] = {
    _KIND: {
        "input": {"required": {"number": ["INT", {"default": 0, "min": 0, "max": 2**31}]}},
        "output": [],
        "output_node": True,
    }
}


def workflow() -> dict[str, Any]:
    """The workflow, in API form, that this server renders."""
    return {"1": {"class_type": _KIND, "inputs": {"number": 0}, "_meta": {"title": "Wait"}}}


class FakeGpu:
    """One prompt at a time, `seconds` each, as a GPU."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.picture = _png()
        self.pending: list[tuple[str, str]] = []
        self.running: str | None = None
        self.history: dict[str, Any] = {}
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.came = asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/system_stats", self._stats),
                web.get("/object_info", self._info),
                web.get("/queue", self._queue),
                web.get("/history/{prompt_id}", self._history),
                web.get("/view", self._view),
                web.get("/ws", self._websocket),
                web.post("/prompt", self._prompt),
            ]
        )
        return app

    async def work(self) -> None:
        while True:
            while not self.pending:
                self.came.clear()
                await self.came.wait()
            self.running, client = self.pending.pop(0)
            await asyncio.sleep(self.seconds)
            files = [{"filename": f"{self.running}.png", "subfolder": "", "type": "output"}]
            status = {"status_str": "success", "completed": True, "messages": []}
            self.history[self.running] = {"outputs": {"1": {"images": files}}, "status": status}
            ended, self.running = self.running, None
            socket = self.sockets.get(client)
            if socket is not None and not socket.closed:
                await socket.send_json({"type": "executing", "data": {"node": None, "prompt_id": ended}})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response({"system": {"comfyui_version": "waits"}})

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response(OBJECT_INFO)

    async def _queue(self, _: web.Request) -> web.Response:
        running = [[0, self.running, {}, {}, []]] if self.running else []
        pending = [[n, prompt_id, {}, {}, []] for n, (prompt_id, _) in enumerate(self.pending)]
        return web.json_response({"queue_running": running, "queue_pending": pending})

    async def _history(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        return web.json_response({prompt_id: self.history[prompt_id]} if prompt_id in self.history else {})

    async def _view(self, _: web.Request) -> web.Response:
        return web.Response(body=self.picture, content_type="image/png")

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets[request.query["clientId"]] = socket
        async for _ in socket:
            pass
        return socket

    async def _prompt(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.pending.append((body["prompt_id"], body["client_id"]))
        self.came.set()
        return web.json_response({"prompt_id": body["prompt_id"], "number": 1, "node_errors": {}})


def _png() -> bytes:
    """One grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")
    )


async def _serve(seconds: float) -> None:
    gpu = FakeGpu(seconds)
    runner = web.AppRunner(gpu.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    await gpu.work()


def main(seconds: Annotated[float, typer.Option(help="For how long each prompt runs.")] = 1.0) -> None:
    """Serve until killed."""
    asyncio.run(_serve(seconds))


if __name__ == "__main__":
    typer.run(main)

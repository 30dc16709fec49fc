"""A reverse proxy in front of a server, with one peculiarity of those that people run.

prefix: the server lies below /comfy; basic, bearer, token, header: asks who comes; limit: refuses bodies above a
megabyte; slow: answers after a moment; flaky: every fifth answer is a 502; no events: refuses websockets; cut events:
ends each websocket at once; plain: nothing.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import aiohttp
from aiohttp import web

USER, PASSWORD, SECRET = "render", "p@ss/geheim", "geheim-0123"
LIMIT_BYTES = 1_000_000
_SLOW_SEC = 0.3
_ENTRY = {
    "basic": ("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()),
    "bearer": ("Authorization", f"Bearer {SECRET}"),
    "header": ("X-Farm-Key", SECRET),
}
_OF_THE_CONNECTION = {"host", "content-length", "accept-encoding", "authorization", "x-farm-key"}


@contextmanager
def proxy_before(url: str, kind: str = "plain", *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The proxy's own address, "host:port" with a path where it has one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", _Proxy(url, kind).answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        return int(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]

    async def stop() -> None:
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    try:
        port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield f"127.0.0.1:{port}{'/comfy' if kind == 'prefix' else ''}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


class _Proxy:
    def __init__(self, url: str, kind: str) -> None:
        self.url, self.kind, self.count = url, kind, 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        path = request.path.removeprefix("/comfy") if self.kind == "prefix" else request.path
        query = {name: value for name, value in request.query.items() if name != "token"}
        if self.kind == "slow":
            await asyncio.sleep(_SLOW_SEC)
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._events(request, session, path, query)
            headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_THE_CONNECTION}
            body = await request.read() or None
            async with session.request(
                request.method, self.url + path, params=query, data=body, headers=headers
            ) as answer:
                return web.Response(
                    status=answer.status,
                    body=await answer.read(),
                    headers={"Content-Type": answer.headers.get("Content-Type", "application/octet-stream")},
                )

    def _refusal(self, request: web.Request) -> web.Response | None:
        self.count += 1
        if self.kind in _ENTRY:
            name, value = _ENTRY[self.kind]
            if request.headers.get(name) != value:
                return _page(401, "401 Authorization Required")
        if self.kind == "token" and request.query.get("token") != SECRET:
            return web.json_response({"error": "no token"}, status=401)
        if self.kind == "prefix" and not request.path.startswith("/comfy/"):
            return _page(404, "404 Not Found")
        if self.kind == "limit" and (request.content_length or 0) > LIMIT_BYTES:
            return _page(413, "413 Request Entity Too Large")
        if self.kind == "flaky" and self.count % 5 == 0:
            return _page(502, "502 Bad Gateway")
        if self.kind == "no events" and request.headers.get("Upgrade"):
            return web.Response(status=400, text="no websockets here")
        return None

    async def _events(
        self, request: web.Request, session: aiohttp.ClientSession, path: str, query: dict[str, str]
    ) -> web.StreamResponse:
        ours = web.WebSocketResponse()
        await ours.prepare(request)
        if self.kind == "cut events" and request.transport is not None:
            request.transport.close()
            return ours
        async with session.ws_connect(self.url + path, params=query) as theirs:
            with suppress(ConnectionError):
                async for message in theirs:
                    await ours.send_str(message.data)
        return ours


def _page(status: int, title: str) -> web.Response:
    text = f"<html>\r\n<head><title>{title}</title></head>\r\n<center>nginx</center></html>"
    return web.Response(status=status, text=text, content_type="text/html")

"""Requests to a server that may be slow, restarted or behind a moody proxy: retried with backoff, within a limit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from index_builder.border import border
from motionrag_nodes.batch_render.errors import ComfyUIConnectionError, ServerRefusedAccess
from motionrag_nodes.batch_render.server.access import Access

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)
_PASSING = frozenset({429, 502, 503, 504})  # what a proxy answers while the server behind it is away or busy
_FIRST_WAIT_SEC, _LONGEST_WAIT_SEC = 0.2, 8.0
_TRIES_OF_A_NEW_SERVER = 4


class Http:
    """One server's HTTP. Opens its session in the event loop that first uses it. `gone`: waiting is of no use."""

    def __init__(self, access: Access, *, patience_sec: float, gone: Callable[[], bool] | None = None) -> None:
        self.access, self.patience_sec = access, patience_sec
        self._gone = gone or (lambda: False)
        self.known = False  # whether it ever answered
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers=dict(self.access.headers))
        return self._session

    @asynccontextmanager
    async def once(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request, not repeated. Raises ComfyUIConnectionError, ServerRefusedAccess."""
        query = {**self.access.query, **options.pop("params", {})}
        try:
            async with self.session.request(
                method,
                self.access.url + path,
                params=query,
                ssl=self.access.tls or True,
                allow_redirects=False,
                **options,
            ) as response:
                self._check_access(response, path)
                yield response
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise self.lost(error) from error

    async def text(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """(status, body) of a request that may safely be sent twice; what passes by itself is waited for."""
        async with contextlib.aclosing(self.tries()) as tries:
            async for last in tries:
                try:
                    async with self.once(method, path, **options) as response:
                        if response.status in _PASSING and not last:
                            continue
                        if response.status in _PASSING:
                            raise ComfyUIConnectionError(
                                f"{self.access.url} answers HTTP {response.status} for {self.patience_sec:.0f} s now: "
                                "the server behind it is away. Check that it runs there."
                            )
                        body = await response.text(errors="replace")
                        self.known = True
                        return response.status, body
                except ServerRefusedAccess:
                    raise
                except ComfyUIConnectionError:
                    if last or not self.known:
                        raise
        raise AssertionError("the last try returns or raises")

    async def json(self, path: str) -> Any:
        """The JSON of a GET. Raises ComfyUIConnectionError where something else comes."""
        status, text = await self.text("GET", path)
        with border(
            lambda _: ComfyUIConnectionError(
                f"{self.access.url}{path} did not answer with JSON (HTTP {status}); is it ComfyUI? Check --server."
            )
        ):
            return json.loads(text)

    async def tries(self) -> AsyncIterator[bool]:
        """Yields before each try, whether it is the last; waits between them, longer each time."""
        began, wait_sec, count = time.monotonic(), _FIRST_WAIT_SEC, 0
        while True:
            count += 1
            patience_sec = self.patience_sec if self.known else 0.0
            last = time.monotonic() - began >= patience_sec and (self.known or count >= _TRIES_OF_A_NEW_SERVER)
            last = last or self._gone()
            yield last
            if last:
                return
            await asyncio.sleep(min(wait_sec, max(0.05, patience_sec / 4) if self.known else wait_sec))
            wait_sec = min(2 * wait_sec, _LONGEST_WAIT_SEC)

    def lost(self, error: BaseException) -> ComfyUIConnectionError:
        reason = self.access.hide(str(error) or type(error).__name__)
        hint = " Its certificate is not trusted: give --ca FILE, or --insecure." if _is_certificate(error) else ""
        return ComfyUIConnectionError(
            f"No answer from ComfyUI at {self.access.url} ({reason}). Check that it runs there.{hint}"
        )

    def _check_access(self, response: aiohttp.ClientResponse, path: str) -> None:
        if response.status in (401, 403, 407):
            raise ServerRefusedAccess(
                f"{self.access.url} refuses access (HTTP {response.status} for {path}): expected credentials that it "
                "accepts. Give them as http://user:password@host, as ?token=... in the address, or by "
                "--header 'Authorization: Bearer ...'."
            )
        if 300 <= response.status < 400:
            place = self.access.hide(response.headers.get("Location", "elsewhere").partition("?")[0])
            raise ServerRefusedAccess(
                f"{self.access.url} sends {path} on to {place} (HTTP {response.status}), perhaps to log in. "
                "Give the address that ComfyUI itself answers at, with its credentials."
            )


def _is_certificate(error: BaseException) -> bool:
    return isinstance(error, aiohttp.ClientConnectorCertificateError)

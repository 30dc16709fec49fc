"""Requests to a server that may be slow, restarted or behind a moody proxy: retried with backoff, within a limit.

What a server sends is a stranger's: an answer may have no end, unfold to gigabytes, or lead to another address.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from index_builder.border import border
from motionrag_nodes.batch_render.errors import ComfyUIConnectionError, ServerRefusedAccess
from motionrag_nodes.batch_render.server.access import Access

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)
# The list of nodes of a large installation has 20 MB; an answer in JSON is whole by then, or is not waited for.
MOST_ANSWER_BYTES, MOST_ANSWER_SEC = 64 << 20, 600.0
# What JSON unfolds to in memory is bounded by its tables and lists, and by the members of these.
MOST_PARTS, MOST_MEMBERS = 1 << 21, 1 << 23
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
        """Ends the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """Made when it is first asked for."""
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            # The websocket's request follows redirects whatever it is told, and takes the credentials along.
            tracing.on_request_redirect.append(_refuse_redirect)
            # Nothing compressed is unpacked: a few bytes could stand for gigabytes.
            headers = {**self.access.headers, "Accept-Encoding": "identity"}
            self._session = aiohttp.ClientSession(
                timeout=_TIMEOUT, headers=headers, auto_decompress=False, trace_configs=[tracing]
            )
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
                                f"Expected the server behind {self.access.url} to be back, but HTTP {response.status} "
                                f"is answered for {self.patience_sec:.0f} s now: check that it runs there."
                            )
                        body = await self.whole_text(response)
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
                f"Expected JSON from {self.access.url}{path}, received another answer (HTTP {status}): check --server, "
                "is it ComfyUI?"
            )
        ):
            return parsed(text)

    async def whole_text(self, response: aiohttp.ClientResponse) -> str:
        """The text of an answer. Raises ComfyUIConnectionError where it is too long, or does not end."""
        began, body = time.monotonic(), bytearray()
        async for block in response.content.iter_chunked(1 << 20):
            body += block
            if len(body) > MOST_ANSWER_BYTES or time.monotonic() - began > MOST_ANSWER_SEC:
                response.close()
                raise ComfyUIConnectionError(
                    f"Expected at most {MOST_ANSWER_BYTES >> 20} MiB within {MOST_ANSWER_SEC:.0f} s from "
                    f"{self.access.url}{response.url.path}, but it answers without end: check --server, is it ComfyUI?"
                )
        try:
            return body.decode(response.charset or "utf-8", errors="replace")
        except LookupError:  # an encoding of the server's own invention
            return body.decode("utf-8", errors="replace")

    async def tries(self) -> AsyncGenerator[bool, None]:
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
        """The error for a server that does not answer, without credentials."""
        reason = self.access.hide(str(error) or type(error).__name__)
        hint = " Its certificate is not trusted: give --ca FILE, or --insecure." if _is_certificate(error) else ""
        return ComfyUIConnectionError(
            f"Expected ComfyUI at {self.access.url}, but no answer came ({reason}). Check that it runs there.{hint}"
        )

    def _check_access(self, response: aiohttp.ClientResponse, path: str) -> None:
        if response.status in (401, 403, 407):
            raise ServerRefusedAccess(
                f"Expected credentials that {self.access.url} accepts, but it refuses access (HTTP {response.status} "
                f"for {path}). Give them as http://user:password@host, as ?token=... in the address, or by --header "
                "'Authorization: Bearer ...'."
            )
        if 300 <= response.status < 400:
            place = self.access.hide(response.headers.get("Location", "elsewhere").partition("?")[0])
            raise ServerRefusedAccess(
                f"Expected {self.access.url} to answer, but it sends {path} on to {place} (HTTP {response.status}), "
                "perhaps to log in. Give the address that ComfyUI itself answers at, with its credentials."
            )


def parsed(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, and RecursionError, also for what would fill the memory."""
    if text.count("{") + text.count("[") > MOST_PARTS or text.count(",") > MOST_MEMBERS:
        raise ValueError(f"more than {MOST_PARTS} tables and lists, or more than {MOST_MEMBERS} members")
    return json.loads(text)


async def _refuse_redirect(*_: Any) -> None:
    raise aiohttp.ClientError("it leads to another address")


def _is_certificate(error: BaseException) -> bool:
    return isinstance(error, aiohttp.ClientConnectorCertificateError)

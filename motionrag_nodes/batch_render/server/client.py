"""Speaks ComfyUI's HTTP and websocket API: what it offers, upload, queue, follow, fetch the results."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from motionrag_nodes.batch_render.errors import ComfyUIConnectionError, JobFailed
from motionrag_nodes.batch_render.workflow_file import ApiGraph, ObjectInfo

_DATABASES_ROUTE = "/motionrag/databases"
_UPLOAD_FOLDER = "motionrag"
_POLL_SEC = 5.0  # without a message for so long, the history is asked whether the end was missed
_HISTORY_TRIES = 20
OnEvent = Callable[[str, dict[str, Any]], None]  # kind, data
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)


@dataclass(frozen=True)
class ServerFile:
    """A file that a node wrote on the server. `kind` is ComfyUI's folder type: output, temp or input."""

    node_id: str
    filename: str
    subfolder: str
    kind: str


@dataclass
class PromptRun:
    """What became of one queued graph; filled while it runs."""

    prompt_id: str
    files: list[ServerFile] = field(default_factory=list)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)  # node id -> what it showed besides files
    node_seconds: dict[str, float] = field(default_factory=dict)
    cached_nodes: list[str] = field(default_factory=list)


def shown_node(event: Mapping[str, Any]) -> str:
    """The node of the workflow that an event is about: a node that unfolds into others stands for all of them."""
    return str(event.get("display_node") or event["node"])


class ComfyUIClient:
    """One server. Use as an async context manager."""

    def __init__(self, url: str) -> None:
        self.url = (url if "://" in url else f"http://{url}").rstrip("/")
        self.client_id = uuid.uuid4().hex
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> ComfyUIClient:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def version(self) -> str:
        stats = await self._get_json("/system_stats")
        try:
            return str(stats["system"]["comfyui_version"])
        except (KeyError, TypeError):
            raise ComfyUIConnectionError(
                f"{self.url} answers, but not as ComfyUI does (no version in /system_stats). Check --server."
            ) from None

    async def object_info(self) -> ObjectInfo:
        info: ObjectInfo = await self._get_json("/object_info")
        return info

    async def database_generations(self) -> dict[str, int]:
        """The newest generation of each motion database there; empty where the server has not our nodes."""
        async with self._request("GET", _DATABASES_ROUTE) as response:
            if response.status != 200:
                return {}
            found: dict[str, int] = await response.json()
            return found

    async def upload(self, path: Path, *, sha256: str) -> str:
        """Puts a local file into the server's input folder under a name made from its content; gives that name."""
        name = f"{sha256[:12]}_{path.name}"
        form = aiohttp.FormData()
        form.add_field("image", path.read_bytes(), filename=name, content_type="application/octet-stream")
        form.add_field("subfolder", _UPLOAD_FOLDER)
        form.add_field("overwrite", "true")
        async with self._request("POST", "/upload/image", data=form) as response:
            if response.status != 200:
                reason = (await response.text())[:200]
                raise JobFailed(f"{self.url} refused the upload of {path} (HTTP {response.status}: {reason}).")
            answer = await response.json()
        return "/".join(part for part in (answer.get("subfolder"), answer["name"]) if part)

    async def run(self, graph: ApiGraph, on_event: OnEvent) -> PromptRun:
        """Queues a graph and follows it to its end. `on_event(kind, data)` gets the server's progress messages.

        Raises JobFailed: refused by validation, failed in a node, interrupted. ComfyUIConnectionError: server lost.
        """
        websocket = await self._open_websocket()
        run: PromptRun | None = None
        try:
            run = PromptRun(prompt_id=await self._queue(graph))
            await self._follow(websocket, run, on_event)
            return self._finish(run, await self._history(run.prompt_id), graph)
        except asyncio.CancelledError:
            if run is not None:
                await asyncio.shield(self.cancel(run.prompt_id))
            raise
        finally:
            await websocket.close()

    async def cancel(self, prompt_id: str) -> None:
        """Takes a prompt from the queue, or interrupts it when it runs."""
        for path, body in (("/queue", {"delete": [prompt_id]}), ("/interrupt", {"prompt_id": prompt_id})):
            async with self._request("POST", path, json=body):
                pass

    async def download(self, file: ServerFile, target: Path) -> tuple[str, int]:
        """Fetches a file to `target`, whole or not at all. Gives (sha256, size in bytes)."""
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.kind}
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
        digest, size_bytes = hashlib.sha256(), 0
        try:
            async with self._request("GET", "/view", params=query) as response:
                if response.status != 200:
                    raise JobFailed(
                        f"{self.url} no longer has {file.filename} (HTTP {response.status}). Run the job again."
                    )
                with part.open("wb") as out:
                    async for block in response.content.iter_chunked(1 << 20):
                        digest.update(block)
                        size_bytes += len(block)
                        out.write(block)
                    out.flush()
                    os.fsync(out.fileno())
            part.replace(target)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise self._lost(error) from error
        finally:
            part.unlink(missing_ok=True)
        return digest.hexdigest(), size_bytes

    async def _queue(self, graph: ApiGraph) -> str:
        body = {"prompt": graph, "client_id": self.client_id}
        async with self._request("POST", "/prompt", json=body) as response:
            text = await response.text()
        try:
            answer = json.loads(text)
        except ValueError:
            raise JobFailed(f"{self.url} answered HTTP {response.status} to the job: {text[:200]}") from None
        if response.status != 200 or "prompt_id" not in answer:
            raise _refusal(answer, graph)
        return str(answer["prompt_id"])

    async def _follow(
        self,
        websocket: aiohttp.ClientWebSocketResponse[bool],
        run: PromptRun,
        on_event: OnEvent,
    ) -> None:
        """Reads messages until the server says that this prompt has ended."""
        current: tuple[str, float] | None = None
        while True:
            try:
                message = await asyncio.wait_for(websocket.receive(), _POLL_SEC)
            except asyncio.TimeoutError:
                if await self._ended(run.prompt_id):
                    return
                continue
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                websocket = await self._open_websocket()  # raises when the server is gone
                if await self._ended(run.prompt_id):
                    return
                continue
            if message.type != aiohttp.WSMsgType.TEXT:
                continue  # preview pictures
            event = json.loads(message.data)
            kind, data = event.get("type", ""), event.get("data") or {}
            if data.get("prompt_id") not in (None, run.prompt_id):
                continue
            if kind == "execution_cached":
                run.cached_nodes = [str(node) for node in data.get("nodes", [])]
            if kind == "executing":
                now = time.monotonic()
                if current is not None:
                    run.node_seconds[current[0]] = run.node_seconds.get(current[0], 0.0) + now - current[1]
                current = (shown_node(data), now) if data.get("node") is not None else None
                if current is None and data.get("prompt_id") == run.prompt_id:
                    return
            on_event(kind, data)

    def _finish(self, run: PromptRun, entry: dict[str, Any], graph: ApiGraph) -> PromptRun:
        """Reads files and shown values from the history entry. Raises JobFailed as the history tells it."""
        status = entry.get("status") or {}
        if status.get("status_str") != "success":
            raise _failure(status.get("messages") or [], graph)
        places = entry.get("meta") or {}
        for inner_id, output in (entry.get("outputs") or {}).items():
            node_id = shown_node({"node": inner_id, **places.get(inner_id, {})})
            for key, items in output.items():
                files = [i for i in items if isinstance(i, dict) and "filename" in i] if isinstance(items, list) else []
                for item in files:
                    kind = item.get("type", "output")
                    run.files.append(ServerFile(node_id, item["filename"], item.get("subfolder", ""), kind))
                if not files and key != "animated":
                    run.shown.setdefault(node_id, {})[key] = items
        return run

    async def _history(self, prompt_id: str) -> dict[str, Any]:
        for _ in range(_HISTORY_TRIES):
            entry = (await self._get_json(f"/history/{prompt_id}")).get(prompt_id)
            if entry is not None:
                found: dict[str, Any] = entry
                return found
            await asyncio.sleep(0.25)
        raise JobFailed(f"{self.url} has no record of prompt {prompt_id}; its history was cleared. Run it again.")

    async def _ended(self, prompt_id: str) -> bool:
        """True when the prompt is in the history, or nowhere any more (then _history tells so)."""
        if prompt_id in await self._get_json(f"/history/{prompt_id}"):
            return True
        queue = await self._get_json("/queue")
        waiting = [*queue.get("queue_running", []), *queue.get("queue_pending", [])]
        return not any(len(item) > 1 and item[1] == prompt_id for item in waiting)

    async def _open_websocket(self) -> aiohttp.ClientWebSocketResponse[bool]:
        address = self.url.replace("http", "ws", 1) + f"/ws?clientId={self.client_id}"
        try:
            # 0: ComfyUI sends preview pictures of any size.
            return await self._open_session.ws_connect(address, max_msg_size=0, heartbeat=30)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise self._lost(error) from error

    async def _get_json(self, path: str) -> Any:
        async with self._request("GET", path) as response:
            text = await response.text()
        try:
            return json.loads(text)
        except ValueError:
            raise ComfyUIConnectionError(
                f"{self.url}{path} did not answer with JSON (HTTP {response.status}); is it ComfyUI? Check --server."
            ) from None

    @asynccontextmanager
    async def _request(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._open_session.request(method, self.url + path, **options) as response:
                yield response
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise self._lost(error) from error

    @property
    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ComfyUIConnectionError("The client is not open: use it as an async context manager.")
        return self._session

    def _lost(self, error: BaseException) -> ComfyUIConnectionError:
        return ComfyUIConnectionError(
            f"No answer from ComfyUI at {self.url} ({error or type(error).__name__}). Check that it runs there."
        )


def _node_name(node_id: str, graph: ApiGraph) -> str:
    node = graph.get(node_id, {})
    title = node.get("_meta", {}).get("title") or node.get("class_type") or "?"
    return f"node {node_id} ({title})"


def _refusal(answer: dict[str, Any], graph: ApiGraph) -> JobFailed:
    """The server's validation answer as one readable message."""
    errors = []
    for node_id, node in (answer.get("node_errors") or {}).items():
        for error in node.get("errors", []):
            text = ": ".join(part for part in (error.get("message"), error.get("details")) if part)
            errors.append({"node": str(node_id), "class": node.get("class_type", ""), "message": text})
    if not errors:
        error = answer.get("error")
        text = error.get("message", "unknown reason") if isinstance(error, dict) else str(error or "unknown reason")
        return JobFailed(f"ComfyUI refused the job: {text}.")
    listed = "; ".join(f"{_node_name(error['node'], graph)}: {error['message']}" for error in errors)
    return JobFailed(f"ComfyUI refused the job: {listed}", node_errors=errors)


def _failure(messages: list[Any], graph: ApiGraph) -> JobFailed:
    """What the history's messages say about the end of a prompt that did not succeed."""
    for kind, data in reversed(messages):
        if kind == "execution_error":
            node_id, text = str(data.get("node_id")), str(data.get("exception_message", "")).strip()
            kind_of_error = str(data.get("exception_type", "")).rpartition(".")[2]
            error = {"node": node_id, "class": str(data.get("node_type")), "type": kind_of_error, "message": text}
            return JobFailed(f"{_node_name(node_id, graph)} failed: {text or kind_of_error}", node_errors=[error])
        if kind == "execution_interrupted":
            return JobFailed(f"Interrupted at {_node_name(str(data.get('node_id')), graph)} by someone at the server.")
    return JobFailed("ComfyUI reported an error without saying which; see its log.")

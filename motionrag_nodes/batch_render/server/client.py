"""Speaks ComfyUI's API: what a server offers, upload, queue, follow, fetch the results."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp

from index_builder.border import border
from motionrag_nodes.batch_render.errors import ComfyUIConnectionError, JobFailed, PromptGone, ResultsGone
from motionrag_nodes.batch_render.server.access import Access, parse_access
from motionrag_nodes.batch_render.server.answers import PromptRun, ServerFile, refusal, shown_node
from motionrag_nodes.batch_render.server.events import EventStream, OnEvent
from motionrag_nodes.batch_render.server.http import Http, parsed
from motionrag_nodes.batch_render.workflow_file import ApiGraph, ObjectInfo

JOB_MARK = "motionrag_job"  # in a prompt's extra_data: the id that we asked for, where a server gives its own
_DATABASES_ROUTE = "/motionrag/databases"
_UPLOAD_FOLDER = "motionrag"
_POLL_SEC = 5.0  # without a message for so long, the history is asked whether the end was missed
_FIRST_LOOK_SEC = 0.25  # a short prompt has ended by then, and its events have told so
_POLL_WITHOUT_EVENTS_SEC = 0.5
_LONGEST_POLL_WITHOUT_EVENTS_SEC = 2.0
_GONE_AFTER_SEC = 3.0  # for so long a prompt must be in neither queue nor history
_VIEW_TRIES = 4
# A file is larger than any video that is rendered here, or comes so slowly that it never ends.
_MOST_RESULT_BYTES = 64 << 30
_SLOW_SEC, _LEAST_BYTES_PER_SEC = 300.0, 4 << 10
DEFAULT_PATIENCE_SEC = 60.0


@dataclass(frozen=True)
class QueueView:
    """What stands in a server's queue, in order: prompt ids and the marks of our jobs."""

    running: tuple[str, ...]
    pending: tuple[str, ...]
    marks: dict[str, str]  # mark -> prompt id


class ComfyUIClient:
    """One server. Close it when done, or use it as an async context manager.

    `patience_sec`: for so long a server that answered before may be away, each time.
    """

    def __init__(
        self,
        access: Access | str,
        *,
        patience_sec: float = DEFAULT_PATIENCE_SEC,
        gone: Callable[[], bool] | None = None,
    ) -> None:
        self.access = parse_access(access) if isinstance(access, str) else access
        self.url = self.access.url
        self._http = Http(self.access, patience_sec=patience_sec, gone=gone)
        self._events = EventStream(self._http)

    async def __aenter__(self) -> ComfyUIClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends its connections."""
        await self._events.close()
        await self._http.close()

    async def version(self) -> str:
        """The ComfyUI that runs there."""
        stats = await self._http.json("/system_stats")
        try:
            return str(stats["system"]["comfyui_version"])
        except (KeyError, TypeError):
            raise ComfyUIConnectionError(
                f"Expected ComfyUI at {self.url}, received an answer without a version in /system_stats: check "
                "--server."
            ) from None

    async def object_info(self) -> ObjectInfo:
        """The classes of nodes that it has. Raises ComfyUIConnectionError for an answer of another form."""
        info = await self._http.json("/object_info")
        if not isinstance(info, dict) or not all(isinstance(node, dict) for node in info.values()):
            raise ComfyUIConnectionError(
                f"Expected ComfyUI's list of nodes at {self.url}/object_info, received another answer: check --server."
            )
        return info

    async def database_generations(self) -> dict[str, int]:
        """The newest generation of each motion database there; empty where the server has not our nodes."""
        status, text = await self._http.text("GET", _DATABASES_ROUTE)
        with contextlib.suppress(ValueError, RecursionError):
            found = parsed(text) if status == 200 else {}
            if isinstance(found, dict):
                return {str(name): int(number) for name, number in found.items() if isinstance(number, int)}
        return {}

    async def upload(self, path: Path, *, sha256: str) -> str:
        """Puts a local file into the server's input folder under a name made from its content; gives that name."""
        size_bytes = path.stat().st_size
        async for last in self._http.tries():
            try:
                with path.open("rb") as file:
                    form = aiohttp.FormData()
                    form.add_field("image", file, filename=f"{sha256[:12]}_{path.name}")
                    form.add_field("subfolder", _UPLOAD_FOLDER)
                    form.add_field("overwrite", "true")
                    async with self._http.once("POST", "/upload/image", data=form) as response:
                        status, text = response.status, await self._http.whole_text(response)
            except ComfyUIConnectionError:
                if last:
                    raise
                continue
            if status in (502, 503, 504) and not last:
                continue
            break
        if status == 413:
            raise JobFailed(
                f"Expected {self.url} to take {path} ({size_bytes / 1e6:.1f} MB), but it is too large for it (HTTP "
                "413). Raise the limit: ComfyUI's --max-upload-size, or client_max_body_size of a proxy before it."
            )
        if status != 200:
            raise JobFailed(
                f"Expected {self.url} to take {path}, but it refused (HTTP {status}: {self.access.hide(text[:200])}): "
                "see its log."
            )
        try:
            answer = parsed(text)
            return "/".join(str(part) for part in (answer.get("subfolder"), answer["name"]) if part)
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            raise JobFailed(
                f"Expected {self.url} to say where it put {path}, received {self.access.hide(text[:200])}: check "
                "--server."
            ) from None

    async def submit(
        self, graph: ApiGraph, *, prompt_id: str, workflow: dict[str, Any] | None = None, fresh: bool = False
    ) -> str:
        """Queues a graph under `prompt_id`, once, however often this is called; gives the id that the server uses.

        `fresh`: it was surely never sent before, so that the server need not be asked.
        `workflow`, in the editor's form, goes into the files that it saves, as the editor would send it.
        Raises JobFailed: refused by validation, wholly or in a part.
        """
        extra: dict[str, Any] = {JOB_MARK: prompt_id}
        if workflow is not None:
            extra["extra_pnginfo"] = {"workflow": workflow}
        client_id = self._events.client_id
        body = {"prompt": graph, "prompt_id": prompt_id, "client_id": client_id, "extra_data": extra}
        data = json.dumps(body).encode()
        async for last in self._http.tries():
            there = None if fresh else await self.find_in_history(prompt_id)
            if there is not None:
                return there
            fresh = False
            try:
                headers = {"Content-Type": "application/json"}
                async with self._http.once("POST", "/prompt", data=data, headers=headers) as response:
                    status, text = response.status, await self._http.whole_text(response)
            except ComfyUIConnectionError:
                if last:
                    raise
                continue  # it may have arrived or not: the next try looks
            if status in (429, 502, 503, 504) and not last:
                continue
            break
        return await self._accepted(status, text, graph)

    async def _accepted(self, status: int, text: str, graph: ApiGraph) -> str:
        try:
            answer = parsed(text)
        except (ValueError, RecursionError):
            if status == 413:
                raise JobFailed(
                    f"Expected {self.url} to take the job, but it is too large for it (HTTP 413): raise its proxy's "
                    "limit."
                ) from None
            shown = self.access.hide(text[:200])
            raise JobFailed(
                f"Expected {self.url} to take the job, received HTTP {status} ({shown}): see its log."
            ) from None
        given = answer.get("prompt_id") if isinstance(answer, dict) else None
        if status != 200 or not given:
            raise refusal(answer, graph)
        if answer.get("node_errors"):  # it would render the rest, and call that a success
            await self.cancel(str(given))
            raise refusal(answer, graph)
        return str(given)

    async def find(self, prompt_id: str) -> str | None:
        """The id under which a prompt that was submitted as `prompt_id` is known to the server; None: it is not."""
        if await self.history(prompt_id) is not None:
            return prompt_id
        view = await self.queue()
        if prompt_id in view.running or prompt_id in view.pending:
            return prompt_id
        return view.marks.get(prompt_id)

    async def find_in_history(self, prompt_id: str) -> str | None:
        """As `find`, also where the server gave an id of its own and has ended the prompt since."""
        found = await self.find(prompt_id)
        if found is not None:
            return found
        entries = await self._http.json("/history")
        for known, entry in entries.items() if isinstance(entries, dict) else ():
            queued = entry.get("prompt") if isinstance(entry, dict) else None
            extra = queued[3] if isinstance(queued, list) and len(queued) > 3 else None
            if isinstance(extra, dict) and extra.get(JOB_MARK) == prompt_id:
                return str(known)
        return None

    async def history(self, prompt_id: str) -> Any | None:
        """The history's entry of a prompt, or None while there is none."""
        entries = await self._http.json(f"/history/{prompt_id}")
        return entries.get(prompt_id) if isinstance(entries, dict) else None

    async def queue(self) -> QueueView:
        """What waits and runs there. Raises ComfyUIConnectionError for an answer of another form."""
        data = await self._http.json("/queue")
        with border(self._not_comfyui("/queue")):
            return self._read_queue(data)

    def _not_comfyui(self, path: str) -> Callable[[str], ComfyUIConnectionError]:
        def refusal(reason: str) -> ComfyUIConnectionError:
            return ComfyUIConnectionError(
                f"Expected ComfyUI's answer at {self.url}{path}, received another ({reason}): check --server."
            )

        return refusal

    @staticmethod
    def _read_queue(data: Any) -> QueueView:
        data = data if isinstance(data, dict) else {}
        marks: dict[str, str] = {}
        ids: dict[str, tuple[str, ...]] = {}
        for key in ("queue_running", "queue_pending"):
            items = [i for i in data.get(key) or [] if isinstance(i, list) and len(i) > 1]
            items.sort(key=lambda item: item[0] if isinstance(item[0], (int, float)) else 0)
            ids[key] = tuple(str(item[1]) for item in items)
            for item in items:
                extra = item[3] if len(item) > 3 else None
                if isinstance(extra, dict) and JOB_MARK in extra:
                    marks[str(extra[JOB_MARK])] = str(item[1])
        return QueueView(ids["queue_running"], ids["queue_pending"], marks)

    async def follow(self, run: PromptRun, on_event: OnEvent) -> Any:
        """Waits for a prompt's end; gives its history entry, and notes in `run` which nodes ran for how long.

        Raises PromptGone: neither in the queue nor in the history. ComfyUIConnectionError: the server is lost.
        """
        ended = asyncio.Event()
        note = _Notes(run, ended, on_event)
        missed_since: float | None = None
        quiet_sec = _POLL_WITHOUT_EVENTS_SEC
        with self._events.listening(run.prompt_id, note):
            if self._events.connected.is_set():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(ended.wait(), _FIRST_LOOK_SEC)
            while True:
                ended.clear()
                entry = await self.history(run.prompt_id)
                if entry is not None:
                    return entry
                view = await self.queue()
                if run.prompt_id in view.running or run.prompt_id in view.pending:
                    missed_since = None
                elif missed_since is None:
                    missed_since = time.monotonic()
                elif time.monotonic() - missed_since > _GONE_AFTER_SEC:
                    raise PromptGone(
                        f"Expected a record of prompt {run.prompt_id} on {self.url}, found none, since it was "
                        "restarted or its history cleared: run the job again."
                    )
                poll_sec = _POLL_SEC if note.heard and self._events.connected.is_set() else quiet_sec
                quiet_sec = min(1.5 * quiet_sec, _LONGEST_POLL_WITHOUT_EVENTS_SEC)
                if missed_since is not None:
                    poll_sec = min(poll_sec, _POLL_WITHOUT_EVENTS_SEC / 2)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(ended.wait(), poll_sec)

    async def listen(self, timeout_sec: float = 2.0) -> bool:
        """Opens the stream of events; whether it came up in time. Without it, ends are found by asking."""
        return await self._events.open(timeout_sec)

    async def cancel(self, prompt_id: str) -> None:
        """Takes a prompt from the queue, or interrupts it when it runs; those of others stay."""
        async with self._http.once("POST", "/queue", json={"delete": [prompt_id]}):
            pass
        # A server of before 2025 interrupts whatever runs.
        if prompt_id in (await self.queue()).running:
            async with self._http.once("POST", "/interrupt", json={"prompt_id": prompt_id}):
                pass

    async def forget_cached(self) -> None:
        """Makes the server compute again what it has in its cache: files of cached nodes are not written twice."""
        async with self._http.once("POST", "/free", json={"free_memory": True}):
            pass

    async def view(self, file: ServerFile, out: BinaryIO | None = None) -> tuple[str, int]:
        """Writes a file's content to `out`, from its start, where one is given. Gives (sha256, size in bytes).

        Raises JobFailed: the server does not have it, never sends it whole, or sends without end.
        """
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.kind}
        reason = ""
        for wait_sec in [0.2 * 3**i for i in range(_VIEW_TRIES - 1)] + [None]:
            if out is not None:
                out.seek(0)
                out.truncate()
            digest, size_bytes, began = hashlib.sha256(), 0, time.monotonic()
            try:
                async with self._http.once("GET", "/view", params=query) as response:
                    if response.status == 200:
                        async for block in response.content.iter_chunked(1 << 20):
                            digest.update(block)
                            size_bytes += len(block)
                            due_bytes = (time.monotonic() - began - _SLOW_SEC) * _LEAST_BYTES_PER_SEC
                            if size_bytes > _MOST_RESULT_BYTES or size_bytes < due_bytes:
                                response.close()
                                raise JobFailed(
                                    f"Expected at most {_MOST_RESULT_BYTES >> 30} GiB, and "
                                    f"{_LEAST_BYTES_PER_SEC >> 10} KiB a second, of {file.filename} from {self.url}, "
                                    "but it does not end: check the server."
                                )
                            if out is not None:
                                out.write(block)
                        return digest.hexdigest(), size_bytes
                    reason = f"HTTP {response.status}"
                    if response.status == 404:
                        raise ResultsGone(
                            f"Expected {file.filename} on {self.url}, but it is there no longer (HTTP 404): run the "
                            "job again."
                        )
                    if response.status == 400:
                        wait_sec = None
            except ComfyUIConnectionError as error:
                reason = str(error)
            if wait_sec is None:
                break
            await asyncio.sleep(wait_sec)
        raise JobFailed(
            f"Expected {file.filename} from {self.url}, but it does not come ({reason}): run the job again."
        )


class _Notes:
    """Keeps what the events tell of one prompt."""

    def __init__(self, run: PromptRun, ended: asyncio.Event, on_event: Callable[[str, dict[str, Any]], None]) -> None:
        self.run, self.ended, self.on_event = run, ended, on_event
        self.current: tuple[str, float] | None = None
        self.heard = False

    def __call__(self, kind: str, data: dict[str, Any]) -> None:
        self.heard = True
        if kind == "execution_cached" and isinstance(data.get("nodes"), list):
            self.run.cached_nodes = [str(node) for node in data["nodes"]]
        if kind == "executing":
            now = time.monotonic()
            if self.current is not None:
                node, since = self.current
                self.run.node_seconds[node] = self.run.node_seconds.get(node, 0.0) + now - since
            self.current = (shown_node(data), now) if data.get("node") is not None else None
        if kind in ("execution_success", "execution_error", "execution_interrupted") or (
            kind == "executing" and data.get("node") is None
        ):
            self.ended.set()
        self.on_event(kind, data)

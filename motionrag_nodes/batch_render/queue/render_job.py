"""One job as a durable workflow: submit, follow, fetch. Killed at any moment, it goes on after its last step."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from dbos import DBOS

from index_builder.errors import MotionRAGError
from motionrag_nodes.batch_render.errors import (
    ComfyUIConnectionError,
    ComfyUIStartError,
    JobFailed,
    PromptGone,
    ResultsGone,
)
from motionrag_nodes.batch_render.jobs.typed_workflow import with_values
from motionrag_nodes.batch_render.queue.lanes import LANES, Lane
from motionrag_nodes.batch_render.queue.orders import JobOrder
from motionrag_nodes.batch_render.results.collect import collect_results, outputs_as_dicts
from motionrag_nodes.batch_render.results.names import NameTemplate
from motionrag_nodes.batch_render.server.answers import PromptRun, read_end
from motionrag_nodes.batch_render.workflow_file import ApiGraph

TRIES = 3  # of a job whose server was restarted, lost its results, or died of it

Outcome = dict[str, Any]


@DBOS.workflow(name="render_job")
async def render_job(order_data: dict[str, Any]) -> Outcome:
    """Renders one job on the server of its queue. Gives an outcome with a status: done, failed or lost.

    "lost": the server is away for longer than is waited for; the job may be given to another one.
    """
    order = JobOrder.from_dict(order_data)
    lane = LANES[order.server]
    outcome: Outcome = {}
    try:
        async with lane.turn:
            for attempt in range(1, TRIES + 1):
                began = time.monotonic()
                outcome = await _step("submit", _submit, lane, order, attempt)
                if "prompt_id" in outcome:
                    outcome = await _step("follow", _follow, lane, order, outcome["prompt_id"])
                if "run" in outcome:
                    outcome = await _step("fetch", _fetch, lane, order, outcome["run"], began)
                if outcome.get("status") in ("done", "failed", "lost"):
                    break
    finally:
        lane.current.pop(order.name, None)
        if lane.on_end is not None:
            lane.on_end()
    if "again" in outcome:
        outcome = {"status": "failed", "error": f"Tried {TRIES} times: {outcome['again']}"}
    return outcome


async def _step(name: str, work: Callable[..., Awaitable[Outcome]], *arguments: Any) -> Outcome:
    return await DBOS.run_step_async({"name": name}, _guarded, work, *arguments)


async def _guarded(work: Callable[..., Awaitable[Outcome]], lane: Lane, *arguments: Any) -> Outcome:
    """What went wrong, as an outcome that is recorded: the same in every run of the workflow."""
    try:
        return await work(lane, *arguments)
    except ResultsGone as error:
        with contextlib.suppress(MotionRAGError):
            await lane.client.forget_cached()
        return {"again": str(error)}
    except PromptGone as error:
        return {"again": str(error)}
    except JobFailed as error:
        return {"status": "failed", "error": lane.access.hide(str(error)), "node_errors": list(error.node_errors)}
    except ComfyUIStartError as error:
        return {"status": "lost", "error": str(error)}
    except ComfyUIConnectionError as error:
        if lane.own is not None and not lane.own.running and not lane.stopping:
            return {"again": f"ComfyUI stopped while it ran this job. The end of its log:\n{lane.own.log_tail()}"}
        return {"status": "lost", "error": lane.access.hide(str(error))}
    except (MotionRAGError, OSError) as error:
        return {"status": "failed", "error": lane.access.hide(str(error))}


async def _submit(lane: Lane, order: JobOrder, attempt: int) -> Outcome:
    if lane.on_start is not None:
        lane.on_start(order.name)
    await lane.stand_up()
    await lane.client.listen()
    graph = {i: {**node, "inputs": dict(node["inputs"])} for i, node in order.graph.items()}
    for file in order.files:
        graph[file.node_id]["inputs"][file.input_name] = await lane.upload(order.place(file.path), file.sha256)
    prompt_id = str(uuid.uuid5(uuid.UUID(order.run), str(attempt)))
    workflow = _workflow(order, graph)
    fresh = attempt == 1 and order.run in lane.fresh
    lane.fresh.discard(order.run)
    return {"prompt_id": await lane.client.submit(graph, prompt_id=prompt_id, workflow=workflow, fresh=fresh)}


async def _follow(lane: Lane, order: JobOrder, prompt_id: str) -> Outcome:
    lane.current[order.name] = prompt_id
    run = PromptRun(prompt_id=prompt_id)

    def on_event(kind: str, data: dict[str, Any]) -> None:
        if lane.on_event is not None:
            lane.on_event(order.name, kind, data)

    await lane.client.listen(0.0)
    entry = await lane.client.follow(run, on_event)
    read_end(run, entry, order.graph, accepted=frozenset(order.output_nodes), saving=frozenset(order.saving_nodes))
    return {"run": run.as_dict()}


async def _fetch(lane: Lane, order: JobOrder, run_data: dict[str, Any], began: float) -> Outcome:
    run = PromptRun.from_dict(run_data)
    lane.check_written(run, order.graph)
    outputs, shown = await collect_results(
        lane.client, run, order.graph, job=order.name, folder=order.folder, template=NameTemplate(order.template)
    )
    return {
        "status": "done",
        "prompt_id": run.prompt_id,
        "server": lane.access.url,
        "outputs": outputs_as_dicts(outputs),
        "shown": shown,
        "node_seconds": {node: round(seconds, 3) for node, seconds in run.node_seconds.items()},
        "cached_nodes": run.cached_nodes,
        "seconds": round(time.monotonic() - began, 3),
    }


def _workflow(order: JobOrder, graph: ApiGraph) -> dict[str, Any] | None:
    """The workflow in the editor's form with the job's values, and with the names of files as the server has them."""
    if order.workflow_file is None:
        return None
    files = {(file.node_id, file.input_name) for file in order.files}
    typed = [
        replace(item, value=graph[item.node_id]["inputs"][item.input_name])
        if (item.node_id, item.input_name) in files
        else item
        for item in order.typed
    ]
    return with_values(_read(str(order.place(order.workflow_file))), typed)


@lru_cache(maxsize=8)
def _read(path: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return data

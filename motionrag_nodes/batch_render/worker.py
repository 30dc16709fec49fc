"""`motionrag render-worker`: drives servers for the renderers that share its queue, until it is told to stop."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.queue.lanes import LANES, lane_of
from motionrag_nodes.batch_render.queue.leases import Leases, kept
from motionrag_nodes.batch_render.queue.orders import FOLDER_MAPS
from motionrag_nodes.batch_render.queue.store import opened
from motionrag_nodes.batch_render.server.facts import ask_servers
from motionrag_nodes.batch_render.server.target import Target

_LOOK_SEC = 0.5


def run_worker(
    targets: Sequence[Target],
    *,
    queue_url: str,
    patience_sec: float,
    folder_maps: Sequence[str] = (),
    note: Callable[[str], None],
    stop: threading.Event | None = None,
) -> None:
    """Renders what is handed to these servers. Ends by KeyboardInterrupt, by `stop`, or when a lease is lost.

    `folder_maps` are "FROM=TO": an output folder FROM of a renderer is mounted at TO here.
    Raises ServerTaken, ComfyUIConnectionError, JobStoreError.
    """
    _set_maps(folder_maps)
    facts = ask_servers([target.access for target in targets])
    stop = stop or threading.Event()
    lanes = [lane_of(target, patience_sec) for target in targets]
    keys = [lane.key for lane in lanes]
    with opened(queue_url, None, keys) as store, contextlib.ExitStack() as stack:
        for lane in lanes:
            LANES[lane.key] = lane
            stack.callback(LANES.pop, lane.key, None)
        leases = Leases(store.engine)
        for target, lane, told in zip(targets, lanes, facts, strict=True):
            leases.take(lane.key, target.access.url, target.weight, holder=store.executor, facts=told)
        lost = stack.enter_context(kept(leases, keys, store.executor))
        for lane in lanes:
            stack.callback(lane.stop)
        left = store.unfinished(keys)
        for job in left:  # of a worker that is gone: this one has its servers' leases now
            store.resume(job.id, str(job.queue))
        note(
            f"Waiting for jobs on {', '.join(t.access.url for t in targets)}; {len(left)} were left by another worker."
        )
        while not stop.wait(_LOOK_SEC):
            if lost.is_set():
                raise RenderError(
                    "Expected to keep the lease of a server, but it was lost, since this machine slept or its database "
                    "was away: start again."
                )


def _set_maps(folder_maps: Sequence[str]) -> None:
    for text in folder_maps:
        there, equals, here = text.partition("=")
        if not equals or not there or not here:
            raise RenderError(
                f"Expected --folder-map FROM=TO, received {text!r}: write for example /mnt/renders=/data/renders."
            )
        FOLDER_MAPS[there.rstrip("/")] = here.rstrip("/")

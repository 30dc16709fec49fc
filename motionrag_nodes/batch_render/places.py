"""The servers of a batch: those that this process drives, and those that workers bring to a shared queue."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from motionrag_nodes.batch_render.observer import RenderObserver
from motionrag_nodes.batch_render.queue.dispatch import Offer
from motionrag_nodes.batch_render.queue.lanes import Lane, lane_of
from motionrag_nodes.batch_render.queue.leases import Lease, Leases, kept
from motionrag_nodes.batch_render.queue.store import JobStore, opened
from motionrag_nodes.batch_render.server.facts import ServerFacts, ask_servers
from motionrag_nodes.batch_render.server.target import Target

_LOOK_SEC = 1.0


@dataclass(frozen=True)
class Place:
    """A server of a batch: what it is, what it offers, and the lane by which this process reaches it.

    No lane: a worker drives the server.
    """

    offer: Offer
    facts: ServerFacts
    lane: Lane | None


@dataclass
class Farm:
    """The servers at the start of a batch. `store` and `leases`: of a shared queue, where there is one."""

    places: list[Place]
    leases: Leases | None = None
    store: JobStore | None = None

    @contextmanager
    def opened_store(self, folder: Path) -> Iterator[JobStore]:
        """The shared store, else one in a file in `folder`."""
        if self.store is not None:
            yield self.store
            return
        with opened(None, folder, [place.offer.key for place in self.places]) as store:
            yield store


@contextmanager
def opened_farm(
    targets: Sequence[Target], *, queue_url: str | None, patience_sec: float, observer: RenderObserver
) -> Iterator[Farm]:
    """Asks the servers what they offer. With a queue, takes their leases, and waits for a worker where there is none.

    Raises ComfyUIConnectionError, ServerTaken, JobStoreError.
    """
    facts = ask_servers([target.access for target in targets])
    places = []
    for target, told in zip(targets, facts, strict=True):
        lane = lane_of(target, patience_sec)
        places.append(Place(Offer(lane.key, target.access.url, target.weight), told, lane))
    if queue_url is None:
        yield Farm(places)
        return
    keys = [place.offer.key for place in places]
    with opened(queue_url, None, keys) as store, contextlib.ExitStack() as stack:
        leases = Leases(store.engine)
        for place in places:
            offer = place.offer
            leases.take(offer.key, offer.url, offer.weight, holder=store.executor, facts=place.facts)
        if keys:
            stack.enter_context(kept(leases, keys, store.executor))
        workers = _workers(leases, keys)
        if not places and not workers:
            observer.note("No worker is there yet: start one with motionrag render-worker. Waiting.")
        while not places and not workers:
            time.sleep(_LOOK_SEC)
            workers = _workers(leases, keys)
        places += [Place(Offer(lease.key, lease.url, lease.weight), leases.facts(lease.key), None) for lease in workers]
        yield Farm(places, leases, store)


def _workers(leases: Leases, own: Sequence[str]) -> list[Lease]:
    return [lease for key, lease in leases.living().items() if key not in own]

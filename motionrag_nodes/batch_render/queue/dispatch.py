"""Gives waiting jobs to servers: where they can run, the least busy first, and to another one when a server is lost."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from motionrag_nodes.batch_render.queue.store import JobStore

_AHEAD = 2  # jobs that a server has besides the one at work, while there are enough for all
_LOOK_SEC = 0.5
_SOON_SEC = 0.02  # a job that says that it has ended is recorded a moment later
_LOOK_AT_SERVERS_SEC = 2.0
_LOSSES = 3  # servers that a job may lose before it is given up


@dataclass(frozen=True)
class Offer:
    """A server that takes jobs. `weight`: its share where several are free."""

    key: str
    url: str
    weight: float = 1.0


@dataclass
class Work:
    """A job, where it can run, and how often it lost its server."""

    name: str
    places: frozenset[str]  # keys of offers
    losses: int = 0


@dataclass
class _AtWork:
    work: Work
    key: str


class Dispatcher:
    """Runs in the thread that calls `run`; jobs run in DBOS's own.

    `order(work, key)` makes (id, order) for a server; `ended(work, key, outcome)` is told every job's end once.
    `usable(offer, reason)` says whether a server that lost a job is to get more. `look`, if there is one, is called now
    and then to add and drop servers; with it, jobs wait for servers to come.
    """

    def __init__(
        self,
        store: JobStore,
        offers: Sequence[Offer],
        *,
        order: Callable[[Work, str], tuple[str, dict[str, Any]]],
        ended: Callable[[Work, str, dict[str, Any]], None],
        usable: Callable[[Offer, str], bool],
        look: Callable[[], None] | None = None,
    ) -> None:
        self.store, self.order, self.ended, self.usable, self.look = store, order, ended, usable, look
        self.queue: deque[Work] = deque()
        self.offers = {offer.key: offer for offer in offers}
        self.at_work: dict[str, _AtWork] = {}  # by id in the store
        self.given: dict[str, int] = {offer.key: 0 for offer in offers}
        self.wake = threading.Event()
        self.last_loss = ""

    def adopt(self, job_id: str, work: Work, key: str) -> None:
        """Counts a job that a server has already."""
        self.at_work[job_id] = _AtWork(work, key)

    def run(self, waiting: Sequence[Work]) -> None:
        """Returns when every job has ended; those that no server is left for end as "not run"."""
        self.queue.extend(waiting)
        looked, wait_sec = time.monotonic(), _LOOK_SEC
        while self.queue or self.at_work:
            if self.look is not None and time.monotonic() - looked > _LOOK_AT_SERVERS_SEC:
                self.look()
                looked = time.monotonic()
            self._give(self.queue)
            if not self.at_work and self.look is None:
                self._give_up(self.queue)
                continue
            told = self.wake.wait(wait_sec)
            self.wake.clear()
            if self._collect(self.queue):
                wait_sec = _LOOK_SEC
            else:
                wait_sec = _SOON_SEC if told else min(2 * wait_sec, _LOOK_SEC)

    def _give(self, queue: deque[Work]) -> None:
        """One job to each free server before a second one to any, and none ahead when they become few."""
        passed: deque[Work] = deque()
        while queue:
            work = queue.popleft()
            enough = len(queue) >= 2 * len(self.offers)
            free = [key for key in work.places & set(self.offers) if self._load(key) <= (_AHEAD if enough else 0)]
            if not free:
                passed.append(work)
                if len(passed) > 4 * len(self.offers) and not any(self._load(k) == 0 for k in self.offers):
                    break
                continue
            key = min(free, key=lambda k: (self._load(k), self.given[k] / self.offers[k].weight))
            self.given[key] += 1
            job_id, order = self.order(work, key)
            self.at_work[job_id] = _AtWork(work, key)
            self.store.enqueue(job_id, key, order)
        queue.extendleft(reversed(passed))

    def _load(self, key: str) -> int:
        return sum(1 for job in self.at_work.values() if job.key == key)

    def _collect(self, queue: deque[Work]) -> bool:
        """Takes in what has ended; whether anything has."""
        before = len(self.at_work)
        for stored in self.store.find(list(self.at_work)):
            if stored.state != "ended":
                continue
            done = self.at_work.pop(stored.id)
            outcome = stored.outcome or {}
            if outcome.get("status") == "lost":
                self.store.forget([stored.id])
                self._lost(done, str(outcome.get("error")), queue)
            else:
                self.ended(done.work, done.key, outcome)
        return len(self.at_work) < before

    def _lost(self, done: _AtWork, reason: str, queue: deque[Work]) -> None:
        offer = self.offers.get(done.key)
        if offer is not None and not self.usable(offer, reason):
            self.remove(done.key, reason)
        work = done.work
        work.losses += 1
        if work.losses >= _LOSSES or (self.look is None and not work.places & set(self.offers)):
            self.ended(work, done.key, {"status": "failed", "error": reason})
        else:
            queue.appendleft(work)

    def add(self, offer: Offer, able: Collection[str]) -> None:
        """A server that has come, and the names of the jobs that it can run."""
        self.offers[offer.key] = offer
        self.given[offer.key] = min(self.given.values(), default=0)
        for work in (*self.queue, *(job.work for job in self.at_work.values())):
            if work.name in able:
                work.places |= {offer.key}

    def drop(self, key: str, reason: str) -> None:
        """A server that is gone: what it had is given to others."""
        self.remove(key, reason)
        gone = {job_id: job for job_id, job in self.at_work.items() if job.key == key}
        ended = {stored.id for stored in self.store.find(list(gone)) if stored.state == "ended"}
        for job_id, job in gone.items():
            if job_id not in ended:  # the others are collected
                del self.at_work[job_id]
                self.store.forget([job_id])
                self._lost(job, reason, self.queue)

    def remove(self, key: str, reason: str) -> None:
        """Takes a server out; what it has already is waited for by who calls."""
        self.offers.pop(key, None)
        self.last_loss = reason

    def _give_up(self, queue: deque[Work]) -> None:
        for work in [w for w in queue if not w.places & set(self.offers)]:
            queue.remove(work)
            reason = f"Not run, as the server was lost before: {self.last_loss}"
            self.ended(work, "", {"status": "not run", "error": reason})

"""The durable record of jobs at work: DBOS on a file in the output folder, or on a PostgreSQL that machines share."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSConfig, SetWorkflowID

from motionrag_nodes.batch_render.errors import JobStoreError
from motionrag_nodes.batch_render.queue.json_records import JsonRecords, forbid_pickles
from motionrag_nodes.batch_render.queue.render_job import render_job
from motionrag_nodes.batch_render.server.access import parse_secret_url

FILE_NAME = "jobs.sqlite"
_APPLICATION = "motionrag-render"
VERSION = "3"  # of what a job's steps are and give: a job begun by another version is begun again
_LANES = 4  # jobs of one server that are prepared or recorded while another one renders
_LOCAL_POLL_SEC, _SHARED_POLL_SEC = 0.05, 0.25
_LOOK_FOR_NOTICES_SEC = 0.2
_IDS_A_QUERY = 400


@dataclass(frozen=True)
class StoredJob:
    """What the store knows of a job. state: waiting, running, ended; outcome: what render_job gave."""

    id: str
    state: str
    queue: str | None
    outcome: dict[str, Any] | None


class JobStore:
    """Open it with `opened`; one a process, as DBOS is."""

    def __init__(self, url: str, *, shared: bool) -> None:
        self.url, self.shared = url, shared
        self.executor = uuid.uuid4().hex
        self.engine = _engine(url)

    def open_queue(self, key: str) -> None:
        """Makes the queue of one server; only the process that drives the server listens to it."""
        poll_sec = _SHARED_POLL_SEC if self.shared else _LOCAL_POLL_SEC
        DBOS.register_queue(key, worker_concurrency=_LANES, polling_interval_sec=poll_sec, on_conflict="always_update")

    def enqueue(self, job_id: str, key: str, order: dict[str, Any]) -> None:
        """Hands a job to a server's queue. One that has this id already stays as it is."""
        with SetWorkflowID(job_id):
            DBOS.enqueue_workflow(key, render_job, order)

    def resume(self, job_id: str, key: str) -> None:
        """Goes on with a job, from the step after its last, where the process that ran it is gone."""
        DBOS.resume_workflow(job_id, queue_name=key)

    def forget(self, ids: Iterable[str]) -> None:
        """Removes jobs, also such as run: what they still do is recorded nowhere."""
        for chunk in _chunks(list(ids)):
            known = [job.id for job in self.find(chunk)]
            if known:
                DBOS.cancel_workflows(known)
                DBOS.delete_workflows(known)

    def find(self, ids: Sequence[str]) -> list[StoredJob]:
        """Those of `ids` that the store knows."""
        found = []
        for chunk in _chunks(ids):
            for status in DBOS.list_workflows(workflow_ids=list(chunk), load_input=False):
                found.append(_stored(status))
        return found

    def unfinished(self, keys: Sequence[str]) -> list[StoredJob]:
        """Jobs in these servers' queues that someone began or is to begin."""
        states = ["PENDING", "ENQUEUED"]
        listed = DBOS.list_workflows(queue_name=list(keys), status=states, load_input=False, load_output=False)
        return [_stored(status) for status in listed]


@contextmanager
def opened(url: str | None, folder: Path | None, keys: Sequence[str]) -> Iterator[JobStore]:
    """The store at `url`, else in a file in `folder`; this process runs the jobs in the queues `keys`.

    Raises JobStoreError: no such database, or one that cannot be read.
    """
    place = url or f"sqlite:///{(folder or Path()) / FILE_NAME}"
    store = JobStore(place, shared=url is not None)
    config: DBOSConfig = {
        "name": _APPLICATION,
        "application_version": VERSION,
        "serializer": JsonRecords(),
        "executor_id": store.executor,
        "system_database_url": place,
        "system_database_engine": store.engine,
        "log_level": "CRITICAL",
        "run_migrations": True,
        # Nothing is notified here; the end of a batch waits for the thread that looks for it.
        "notification_listener_polling_interval_sec": _LOOK_FOR_NOTICES_SEC,
    }
    _silence()
    forbid_pickles()
    try:
        _launch(config, keys)
        new = any(DBOS.retrieve_queue(key) is None for key in keys)
        for key in keys:
            store.open_queue(key)
        if new:  # queues are looked for at the start, and then a second later
            DBOS.destroy()
            _launch(config, keys)
    except (sqlalchemy.exc.SQLAlchemyError, OSError, RuntimeError) as error:
        DBOS.destroy()
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        shown, secrets = parse_secret_url(place)
        for secret in secrets:
            reason = reason.replace(secret, "***")
        remedy = "Check --queue." if url else "Remove it to begin without it: finished jobs stay in manifest.json."
        raise JobStoreError(f"Expected a job store at {shown}, but it cannot be used ({reason}). {remedy}") from None
    try:
        yield store
    finally:
        # A worker that stops hands its jobs back by their outcome, which must still be recorded.
        DBOS.destroy(workflow_completion_timeout_sec=5 if store.shared else 0)
        store.engine.dispose()


def _launch(config: DBOSConfig, keys: Sequence[str]) -> None:
    DBOS(config=config)
    DBOS.listen_queues(list(keys))
    DBOS.launch()


def _engine(url: str) -> sqlalchemy.Engine:
    if url.startswith("sqlite"):
        engine = sqlalchemy.create_engine(url)

        @sqlalchemy.event.listens_for(engine, "connect")
        def set_up(connection: Any, _: Any) -> None:
            # A log written ahead needs no sync a step: a power cut loses the last steps, never the order of them.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

        return engine
    driver = url.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1)
    try:
        return sqlalchemy.create_engine(driver, pool_pre_ping=True, pool_size=10)
    except (sqlalchemy.exc.ArgumentError, ImportError) as error:
        shown, _ = parse_secret_url(url)
        raise JobStoreError(
            f"Expected a queue at {shown}, but it cannot be used ({type(error).__name__}): give --queue "
            "postgresql://user@host/name, and run pip install 'motionrag[queue]'."
        ) from None


def _stored(status: Any) -> StoredJob:
    states = {"ENQUEUED": "waiting", "DELAYED": "waiting", "PENDING": "running"}
    outcome = status.output if isinstance(status.output, dict) else None
    if status.status not in states and outcome is None:
        reason = str(status.error or f"its record says {status.status}")
        outcome = {"status": "failed", "error": f"The renderer failed at this job: {reason}"}
    return StoredJob(status.workflow_id, states.get(status.status, "ended"), status.queue_name, outcome)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_A_QUERY):
        yield ids[start : start + _IDS_A_QUERY]


def _silence() -> None:
    """DBOS reports itself on the console; what concerns users is said by the renderer."""
    logging.getLogger("dbos").handlers[:] = [logging.NullHandler()]

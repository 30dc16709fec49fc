"""Runs a checked batch: skips what is done, goes on with what was begun, gives the rest to servers, records it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.check import CheckedJob
from motionrag_nodes.batch_render.errors import ComfyUIConnectionError
from motionrag_nodes.batch_render.jobs.fingerprint import file_sha256
from motionrag_nodes.batch_render.jobs.plan import RenderJob
from motionrag_nodes.batch_render.observer import RenderObserver
from motionrag_nodes.batch_render.queue.dispatch import Dispatcher, Offer, Work
from motionrag_nodes.batch_render.queue.lanes import LANES, Lane
from motionrag_nodes.batch_render.queue.orders import JobOrder, OrderFile
from motionrag_nodes.batch_render.queue.store import JobStore
from motionrag_nodes.batch_render.results.collect import STATE_FOLDER, remove_results
from motionrag_nodes.batch_render.results.manifest import JobRecord, OutputFile, RunManifest
from motionrag_nodes.batch_render.results.names import NameTemplate
from motionrag_nodes.batch_render.server.answers import node_title, shown_node
from motionrag_nodes.batch_render.server.facts import ServerFacts, ask_servers


@dataclass(frozen=True)
class Place:
    """A server of a batch: what it is, what it offers, and the lane by which jobs of this process reach it."""

    offer: Offer
    facts: ServerFacts
    lane: Lane


class Batch:
    """One batch of one output folder. `records` fills in the order in which jobs end."""

    def __init__(
        self,
        jobs: Sequence[CheckedJob],
        places: Sequence[Place],
        *,
        store: JobStore,
        manifest: RunManifest,
        template: NameTemplate,
        observer: RenderObserver,
    ) -> None:
        self.jobs = {checked.job.name: checked for checked in jobs}
        self.places = {place.offer.key: place for place in places}
        self.positions = {place.offer.key: index for index, place in enumerate(places)}
        self.store, self.manifest, self.template = store, manifest, template
        self.observer = observer
        self.records: dict[str, JobRecord] = {}
        self.dispatcher = Dispatcher(
            store, [place.offer for place in places], order=self._order, ended=self._ended, usable=self._usable
        )
        for place in places:
            LANES[place.offer.key] = place.lane
            place.lane.on_start = self._started
            place.lane.on_event = _Progress(self.jobs, observer)
            place.lane.on_end = self.dispatcher.wake.set

    def run(self, *, force: bool) -> None:
        """Returns when every job has ended. On an interrupt the servers' prompts are taken back, and it is raised.

        `force`: what a former run began or ended counts for nothing.
        """
        try:
            self.dispatcher.run(self._recover(force))
        except BaseException:
            self._interrupt()
            raise
        finally:
            for place in self.places.values():
                place.lane.stop()
                LANES.pop(place.offer.key, None)
            self.manifest.flush()

    def _recover(self, force: bool) -> list[Work]:
        """What is to be given to servers. What a former run began is adopted, and what it finished recorded."""
        jobs = list(self.jobs.values())
        ids = {self._id(c, mark): (c, self._keys(c, mark)) for c in jobs for mark in set(c.fingerprints.values())}
        waiting = {c.job.name: Work(c.job.name, frozenset(self._keys(c))) for c in jobs}
        stale: list[str] = []
        for stored in self.store.find(list(ids)):
            checked, keys = ids[stored.id]
            name, key = checked.job.name, stored.queue or ""
            outcome = stored.outcome or {}
            if name not in waiting or force:
                stale.append(stored.id)
            elif stored.state == "ended" and outcome.get("status") == "done" and self._all_there(outcome):
                self._ended(waiting.pop(name), str(outcome.get("key") or next(iter(keys))), outcome)
            elif stored.state == "ended" or key not in keys or self.places[key].lane.own is not None:
                stale.append(stored.id)
            else:
                self.dispatcher.adopt(stored.id, waiting.pop(name), key)
                self.store.resume(stored.id, key)
        self.store.forget(stale)
        return list(waiting.values())

    def _all_there(self, outcome: dict[str, Any]) -> bool:
        return self.manifest.matches(OutputFile(**output) for output in outcome["outputs"])

    def _keys(self, checked: CheckedJob, mark: str | None = None) -> list[str]:
        marks = checked.fingerprints
        return [k for k, position in self.positions.items() if position in marks and mark in (None, marks[position])]

    def _id(self, checked: CheckedJob, mark: str) -> str:
        """The job's id in the store: its fingerprint, its name, and the folder that its results go to."""
        folder = _folder_id(self.manifest.folder) if self.store.shared else ""
        text = f"{checked.job.name}\n{self.template.text}\n{folder}"
        return f"{mark[:40]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def _order(self, work: Work, key: str) -> tuple[str, dict[str, Any]]:
        checked = self.jobs[work.name]
        job, folder = checked.job, self.manifest.folder.absolute()
        former = self.manifest.get(job.name)
        if former is not None and former.outputs:
            remove_results(folder, former.outputs)
            self.manifest.put(replace(former, status="not run", outputs=(), error="It is being rendered again."))
            self.manifest.flush()
        files = [OrderFile(f.node_id, f.input_name, str(f.path), file_sha256(f.path)) for f in job.files]
        order = JobOrder(
            name=job.name,
            server=key,
            run=str(uuid.uuid4()),
            graph=job.graph,
            files=tuple(files),
            output_nodes=checked.output_nodes,
            saving_nodes=checked.saving_nodes,
            workflow_file=_kept_workflow(folder, job) if job.workflow.ui_form else None,
            output=str(folder),
            template=self.template.text,
        )
        return self._id(checked, checked.fingerprints[self.positions[key]]), order.as_dict()

    def _ended(self, work: Work, key: str, outcome: dict[str, Any]) -> None:
        record = self._record(self.jobs[work.name], key, outcome)
        self.records[work.name] = record
        self.manifest.put(record)
        self.observer.finished(record, skipped=False)

    def _record(self, checked: CheckedJob, key: str, outcome: dict[str, Any]) -> JobRecord:
        place = self.places.get(key)
        position = self.positions.get(key, next(iter(checked.fingerprints)))
        return JobRecord(
            name=checked.job.name,
            status=str(outcome["status"]),
            workflow=str(checked.job.workflow.path),
            values=checked.job.values,
            fingerprint=checked.fingerprints[position],
            comfyui_version=place.facts.version if place else "",
            server=place.offer.url if place else "",
            prompt_id=outcome.get("prompt_id"),
            outputs=tuple(OutputFile(**output) for output in outcome.get("outputs", ())),
            shown=outcome.get("shown", {}),
            seconds=float(outcome.get("seconds", 0.0)),
            node_seconds=outcome.get("node_seconds", {}),
            cached_nodes=tuple(outcome.get("cached_nodes", ())),
            error=outcome.get("error"),
            node_errors=tuple(outcome.get("node_errors", ())),
            finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )

    def _started(self, name: str) -> None:
        if name in self.jobs:
            self.observer.started(self.jobs[name].job)

    def _usable(self, offer: Offer, reason: str) -> bool:
        """Whether a server that was lost is there again."""
        place = self.places[offer.key]
        if place.lane.own is not None:
            return place.lane.own.running
        try:
            ask_servers([place.facts.access])
        except ComfyUIConnectionError:
            self.observer.note(f"{offer.url} is lost and gets no more jobs: {reason}")
            return False
        return True

    def _interrupt(self) -> None:
        """Takes back what stands at the servers, so that the next run begins these jobs again."""
        for place in self.places.values():
            place.lane.stop()
        at_work = dict(self.dispatcher.at_work)
        self.store.forget(at_work)
        for job in at_work.values():
            outcome = {"status": "interrupted", "error": "Interrupted by the user."}
            self.manifest.put(self._record(self.jobs[job.work.name], job.key, outcome))


class _Progress:
    """Turns a server's messages into what an observer is told."""

    def __init__(self, jobs: dict[str, CheckedJob], observer: RenderObserver) -> None:
        self.jobs, self.observer = jobs, observer
        self.seen: dict[str, set[str]] = {}

    def __call__(self, name: str, kind: str, data: dict[str, Any]) -> None:
        checked = self.jobs.get(name)
        if checked is None:
            return
        seen = self.seen.setdefault(name, set())
        if kind == "execution_cached" and isinstance(data.get("nodes"), list):
            seen.update(str(node) for node in data["nodes"])
        elif kind == "executing" and data.get("node") is not None:
            node_id = shown_node(data)
            self.observer.node(checked.job, node_title(node_id, checked.job.graph), len(seen), len(checked.job.graph))
            seen.add(node_id)
        elif kind == "progress":
            value, maximum = data.get("value"), data.get("max")
            if isinstance(value, (int, float)) and isinstance(maximum, (int, float)):
                self.observer.steps(checked.job, float(value), float(maximum))


def _kept_workflow(folder: Path, job: RenderJob) -> str:
    """The workflow as it is now, in the output folder: a job may be rendered after its file has changed."""
    text = json.dumps(job.workflow.data, ensure_ascii=False)
    name = f"{STATE_FOLDER}/workflow-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.json"
    path = folder / name
    if not path.exists():
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
        part.write_text(json.dumps(job.workflow.data), encoding="utf-8")
        part.replace(path)
    return name


def _folder_id(folder: Path) -> str:
    """The same id for an output folder on every machine that it is mounted on."""
    path = folder / STATE_FOLDER / "folder_id"
    if not path.exists():
        part = path.with_name(f"folder_id.{uuid.uuid4().hex[:8]}")
        part.write_text(uuid.uuid4().hex)
        part.replace(path)
    return path.read_text().strip()

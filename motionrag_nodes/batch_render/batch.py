"""Runs a checked batch: skips what is done, goes on with what was begun, gives the rest to servers, records it."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from index_builder.whole_file import whole_file
from motionrag_nodes.batch_render.check import CheckedJob, fingerprint_at
from motionrag_nodes.batch_render.errors import ComfyUIConnectionError
from motionrag_nodes.batch_render.jobs.fingerprint import file_sha256
from motionrag_nodes.batch_render.jobs.plan import RenderJob
from motionrag_nodes.batch_render.observer import RenderObserver
from motionrag_nodes.batch_render.places import Farm, Place
from motionrag_nodes.batch_render.queue.dispatch import Dispatcher, Offer, Work
from motionrag_nodes.batch_render.queue.lanes import LANES
from motionrag_nodes.batch_render.queue.leases import Lease
from motionrag_nodes.batch_render.queue.orders import JobOrder, OrderFile
from motionrag_nodes.batch_render.queue.store import VERSION, JobStore
from motionrag_nodes.batch_render.results.collect import remove_results
from motionrag_nodes.batch_render.results.gallery import settings_of
from motionrag_nodes.batch_render.results.manifest import JobRecord, OutputFile, RunManifest
from motionrag_nodes.batch_render.results.names import STATE_FOLDER, NameTemplate
from motionrag_nodes.batch_render.server.answers import node_title, shown_node
from motionrag_nodes.batch_render.server.facts import ask_servers


class Batch:
    """One batch of one output folder. `records` fills in the order in which jobs end."""

    def __init__(
        self,
        jobs: Sequence[CheckedJob],
        farm: Farm,
        *,
        store: JobStore,
        manifest: RunManifest,
        template: NameTemplate,
        observer: RenderObserver,
    ) -> None:
        places, self.leases = farm.places, farm.leases
        self.jobs = {checked.job.name: checked for checked in jobs}
        self.places = {place.offer.key: place for place in places}
        self.positions = {place.offer.key: index for index, place in enumerate(places)}
        self.store, self.manifest, self.template = store, manifest, template
        self.observer = observer
        self.records: dict[str, JobRecord] = {}
        self.dispatcher = Dispatcher(
            store,
            [place.offer for place in places],
            order=self._order,
            ended=self._ended,
            usable=self._usable,
            look=self._look_at_workers if farm.leases is not None else None,
        )
        self.lanes = [place.lane for place in places if place.lane is not None]
        for lane in self.lanes:
            LANES[lane.key] = lane
            lane.on_start = self._started
            lane.on_event = _Progress(self.jobs, observer)
            lane.on_end = self.dispatcher.wake.set

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
            for lane in self.lanes:
                lane.stop()
                LANES.pop(lane.key, None)
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
            elif stored.state == "ended" or key not in keys:
                stale.append(stored.id)
            else:
                self.dispatcher.adopt(stored.id, waiting.pop(name), key)
                if self.places[key].lane is not None:  # a worker goes on by itself
                    self.store.resume(stored.id, key)
        self.store.forget(stale)
        return list(waiting.values())

    def _all_there(self, outcome: dict[str, Any]) -> bool:
        return self.manifest.matches(OutputFile(**output) for output in outcome["outputs"])

    def _keys(self, checked: CheckedJob, mark: str | None = None) -> list[str]:
        marks = checked.fingerprints
        return [k for k, position in self.positions.items() if position in marks and mark in (None, marks[position])]

    def _id(self, checked: CheckedJob, mark: str) -> str:
        """The job's id in the store: its fingerprint, its name, the folder that its results go to, and the version of
        what a store holds."""
        folder = _folder_id(self.manifest.folder) if self.store.shared else ""
        text = f"{VERSION}\n{checked.job.name}\n{self.template.text}\n{folder}"
        return f"{mark[:40]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def _order(self, work: Work, key: str) -> tuple[str, dict[str, Any]]:
        checked = self.jobs[work.name]
        job, folder = checked.job, self.manifest.folder.absolute()
        former = self.manifest.get(job.name)
        if former is not None and former.outputs:
            remove_results(folder, former.outputs)
            self.manifest.put(replace(former, status="not run", outputs=(), error="It is being rendered again."))
            self.manifest.flush()
        files = [OrderFile(f.node_id, f.input_name, self._input(f.path), file_sha256(f.path)) for f in job.files]
        run, lane = str(uuid.uuid4()), self.places[key].lane
        if lane is not None:
            lane.fresh.add(run)
        order = JobOrder(
            name=job.name,
            server=key,
            run=run,
            graph=job.graph,
            files=tuple(files),
            output_nodes=checked.output_nodes,
            saving_nodes=checked.saving_nodes,
            workflow_file=_kept_workflow(folder, job) if job.typed is not None else None,
            typed=job.typed or (),
            output=str(folder),
            template=self.template.text,
            folder_id=_folder_id(folder) if self.store.shared else None,
        )
        return self._id(checked, checked.fingerprints[self.positions[key]]), order.as_dict()

    def _input(self, path: Path) -> str:
        """Where a job finds a local file: as it is, or in the output folder that other machines share."""
        if not self.store.shared:
            return str(path)
        name = f"{STATE_FOLDER}/inputs/{file_sha256(path)[:16]}_{path.name}"
        target = self.manifest.folder / name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            with whole_file(target) as part:
                shutil.copyfile(path, part)
        return name

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
            settings=settings_of(checked.job.graph),
            finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )

    def _started(self, name: str) -> None:
        if name in self.jobs:
            self.observer.started(self.jobs[name].job)

    def _usable(self, offer: Offer, reason: str) -> bool:
        """Whether a server that was lost is there again."""
        place = self.places[offer.key]
        if place.lane is None:
            return offer.key in self._living()
        if place.lane.own is not None:
            return place.lane.own.running
        try:
            ask_servers([place.facts.access])
        except ComfyUIConnectionError:
            self.observer.note(f"{offer.url} is lost and gets no more jobs: {reason}")
            return False
        return True

    def _living(self) -> dict[str, Lease]:
        return self.leases.living() if self.leases is not None else {}

    def _look_at_workers(self) -> None:
        """Takes in servers whose workers have come, and lets go those whose workers are gone."""
        living = self._living()
        for key, place in list(self.places.items()):
            if place.lane is None and key in self.dispatcher.offers and key not in living:
                self.observer.note(f"The worker of {place.offer.url} is gone; its jobs go to others.")
                self.dispatcher.drop(key, f"the worker of {place.offer.url} is gone")
        for key, lease in living.items():
            if key in self.dispatcher.offers or (key in self.places and self.places[key].lane is not None):
                continue
            assert self.leases is not None
            self._add(Place(Offer(key, lease.url, lease.weight), self.leases.facts(key), None))

    def _add(self, place: Place) -> None:
        key = place.offer.key
        self.places[key] = place
        self.positions.setdefault(key, len(self.positions))
        able = set()
        for name, checked in self.jobs.items():
            mark, _ = fingerprint_at(checked.job, place.facts)
            if mark is not None:
                checked.fingerprints[self.positions[key]] = mark
                able.add(name)
        self.dispatcher.add(place.offer, able)
        self.observer.note(f"A worker brings {place.offer.url}, which can run {len(able)} of {len(self.jobs)} jobs.")

    def _interrupt(self) -> None:
        """Takes back what stands at the servers, so that the next run begins these jobs again."""
        for lane in self.lanes:
            lane.stop()
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
        with whole_file(path) as part:
            part.write_text(json.dumps(job.workflow.data), encoding="utf-8")
    return name


def _folder_id(folder: Path) -> str:
    """The same id for an output folder on every machine that it is mounted on."""
    path = folder / STATE_FOLDER / "folder_id"
    if not path.exists():
        with whole_file(path) as part:
            part.write_text(uuid.uuid4().hex)
    return path.read_text().strip()

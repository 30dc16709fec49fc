"""A saved workflow with a job's values typed in: what the editor would send for it, and what its files carry."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from motionrag_nodes.batch_render.conversion.convert import LoadedWorkflow
from motionrag_nodes.batch_render.conversion.text_replacement import settles
from motionrag_nodes.batch_render.conversion.typed_values import TypedPlace, type_in
from motionrag_nodes.batch_render.errors import ConversionError
from motionrag_nodes.batch_render.workflow_file import ApiGraph, ObjectInfo, WorkflowFile, to_api_graph

Input = tuple[str, str]  # node id, input name
_SOME_TIME = datetime(2000, 1, 1)


@dataclass(frozen=True)
class TypedValue:
    """A value for an input of the prompt, and where the saved workflow holds it."""

    node_id: str
    input_name: str
    place: TypedPlace
    value: Any

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> TypedValue:
        """The inverse of `as_dict`."""
        return TypedValue(**{**data, "place": TypedPlace.from_dict(data["place"])})


@dataclass(frozen=True)
class TypedJob:
    """A job's prompt. `typed`: what is to be typed into its workflow, or None where that cannot hold the values.

    `undated`: the prompt at a time that is the same in every run, for the fingerprint.
    """

    graph: ApiGraph
    typed: tuple[TypedValue, ...] | None
    undated: ApiGraph


class TypedWorkflow:
    """A workflow in the editor's form into which the values of many jobs are typed."""

    def __init__(self, workflow: WorkflowFile, object_info: ObjectInfo) -> None:
        self.workflow, self.object_info = workflow, object_info
        self._loaded = LoadedWorkflow(workflow.data, object_info)
        self._settles, self._dated = self._loaded.settles_texts, "%date:" in json.dumps(workflow.data)
        self._mark = hashlib.sha256(json.dumps(workflow.data, sort_keys=True).encode()).hexdigest()
        self._places: dict[Input, TypedPlace | None] = {}
        self._held: dict[frozenset[Input], bool] = {}

    def job(self, graph: ApiGraph, inputs: Collection[Input], values: Mapping[str, str]) -> TypedJob:
        """`graph`: the prompt with the values of `inputs` set in it; `values`: as the user wrote them.

        Texts are resolved as the editor resolves what is typed; which of some alternatives is taken depends on the
        workflow and the values alone, so that it is the same in every run.
        """
        typed = tuple(self._typed(graph, inputs))
        whole = len(typed) == len(inputs)
        texts = [item.value for item in typed if isinstance(item.value, str)]
        if not self._settles and not any(map(settles, texts)):
            return TypedJob(graph, typed if whole and self._holds(graph, typed) else None, graph)
        edited = replace(self.workflow, data=with_values(self.workflow.data, typed))
        mark = f"{self._mark} {json.dumps(sorted(values.items()))}"
        dated = self._dated or any("%date:" in text for text in texts)

        def prompt(now: datetime) -> ApiGraph:
            made = to_api_graph(edited, self.object_info, now=now, chance=random.Random(mark))
            settled = {(item.node_id, item.input_name) for item in typed if isinstance(item.value, str)}
            for node_id, name in inputs:
                if (node_id, name) not in settled and node_id in made:
                    made[node_id]["inputs"][name] = graph[node_id]["inputs"][name]
            return made

        made = prompt(datetime.now())
        return TypedJob(made, typed if whole else None, prompt(_SOME_TIME) if dated else made)

    def _typed(self, graph: ApiGraph, inputs: Collection[Input]) -> list[TypedValue]:
        found = []
        for node_id, name in inputs:
            if (node_id, name) not in self._places:
                self._places[node_id, name] = self._loaded.place(node_id, name)
            place = self._places[node_id, name]
            if place is not None:
                found.append(TypedValue(node_id, name, place, graph[node_id]["inputs"][name]))
        return found

    def _holds(self, graph: ApiGraph, typed: Sequence[TypedValue]) -> bool:
        """Whether the editor would send `graph` for the workflow with these values; found out once for these inputs."""
        key = frozenset((item.node_id, item.input_name) for item in typed)
        if key not in self._held:
            edited = replace(self.workflow, data=with_values(self.workflow.data, typed))
            try:
                self._held[key] = _bare(to_api_graph(edited, self.object_info)) == _bare(graph)
            except ConversionError:
                self._held[key] = False
        return self._held[key]


def with_values(workflow: dict[str, Any], typed: Sequence[TypedValue]) -> dict[str, Any]:
    """A copy of a saved workflow with the values typed in."""
    edited = copy.deepcopy(workflow)
    type_in(edited, [(item.place, item.value) for item in typed])
    return edited


def _bare(graph: ApiGraph) -> dict[str, Any]:
    return {node_id: [node["class_type"], node["inputs"]] for node_id, node in graph.items()}

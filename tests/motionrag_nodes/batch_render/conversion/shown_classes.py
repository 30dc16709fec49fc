"""Declarations of classes that the installed ComfyUI lacks, made from what saved nodes show of them.

Templates and blueprints are newer than any one server. What the editor makes of their subgraphs, links and values is
worth comparing nevertheless: the editor and the conversion get the same declarations, true or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from motionrag_nodes.batch_render.conversion.class_nodes import GROWING
from motionrag_nodes.batch_render.conversion.editor_only_nodes import EDITOR_ONLY
from motionrag_nodes.batch_render.conversion.widgets import DYNAMIC_CHOICE
from tests.motionrag_nodes.batch_render.conversion.trap_classes import declared

# What the editor fills in itself stands in no file, so that nothing could be compared.
_NO_FIELDS = frozenset({"LOAD_3D", "LOAD_3D_ADVANCED", "WEBCAM", "AUDIO_RECORD", "IMAGEUPLOAD", "AUDIOUPLOAD"})

Spec = list[Any]


@dataclass
class _Shown:
    """What all nodes of a class show: inputs, the inputs that each choice of a list brings, and inputs that repeat."""

    inputs: dict[str, Spec] = field(default_factory=dict)
    choices: dict[str, dict[str, dict[str, Spec]]] = field(default_factory=dict)  # list -> choice -> its inputs
    repeated: dict[str, dict[str, Spec]] = field(default_factory=dict)
    outputs: list[tuple[str, str]] = field(default_factory=list)

    def take(self, node: Mapping[str, Any]) -> None:
        slots = node.get("inputs") or []
        values = node.get("widgets_values")
        values = values if isinstance(values, list) else []
        brought: dict[str, dict[str, Spec]] = {}
        place = 0
        for slot in slots:
            group, dot, name = slot["name"].partition(".")
            spec = _spec(slot, values)
            if slot.get("type") == DYNAMIC_CHOICE:
                chosen = values[place] if place < len(values) and isinstance(values[place], str) else "a"
                brought[group] = self.choices.setdefault(group, {}).setdefault(chosen, {})
                self.inputs.setdefault(group, spec)
            elif dot and group in brought:
                brought[group][name] = spec
            elif dot:
                self.repeated.setdefault(group, {})[name] = spec
                self.inputs.setdefault(group, spec)
            else:
                self.inputs.setdefault(slot["name"], spec)
            place += "widget" in slot
        given = [(str(slot.get("name")), str(slot.get("type"))) for slot in node.get("outputs") or []]
        self.outputs = max(self.outputs, given, key=len)

    def declared(self, name: str) -> dict[str, Any]:
        inputs = dict(self.inputs)
        for group, choices in self.choices.items():
            options = [{"key": key, "inputs": {"required": brought}} for key, brought in choices.items()]
            inputs[group] = [DYNAMIC_CHOICE, {"options": options}]
        for group, members in self.repeated.items():
            inputs[group] = [GROWING, {"template": _template(members)}]
        made = declared(name, inputs, gives=tuple(kind for _, kind in self.outputs))
        return {**made, "output_name": [name for name, _ in self.outputs]}


def shown_classes(workflows: Iterable[Mapping[str, Any]], known: Mapping[str, Any]) -> dict[str, Any]:
    """The classes of all nodes that `known` has no declaration of, by name."""
    found: dict[str, _Shown] = {}
    for workflow in workflows:
        own = {subgraph["id"] for subgraph in workflow.get("definitions", {}).get("subgraphs", [])}
        for node in _nodes(workflow):
            name = node["type"]
            if name not in known and name not in own and name not in EDITOR_ONLY:
                found.setdefault(name, _Shown()).take(node)
    return {name: shown.declared(name) for name, shown in found.items()}


def _nodes(graph: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from graph.get("nodes") or []
    for subgraph in graph.get("definitions", {}).get("subgraphs", []):
        yield from _nodes(subgraph)


def _spec(slot: Mapping[str, Any], values: list[Any]) -> Spec:
    kind = slot.get("type")
    if not isinstance(kind, str) or kind in _NO_FIELDS:
        return ["*", {}]
    if "widget" not in slot:
        return [kind, {"forceInput": True}]
    if kind == "COMBO":
        return [kind, {"options": [value for value in values if isinstance(value, str)] or ["a"]}]
    return [kind, {}]


def _template(members: dict[str, Spec]) -> dict[str, Any]:
    """A group of inputs that repeat: by number where all names end in one, else by name."""
    stems = {name.rstrip("0123456789") for name in members}
    spec = next(iter(members.values()))
    if len(stems) == 1 and not stems & set(members):
        stem = stems.pop()
        return {"input": {"required": {stem: spec}}, "prefix": stem, "min": 1, "max": 20}
    return {"input": {"required": {"value": spec}}, "names": sorted(members), "min": 1}

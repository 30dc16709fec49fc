"""Nodes that exist in the editor only: notes, reroutes, primitives, and pairs that set and get by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeGuard

from motionrag_nodes.batch_render.conversion.graphs import Graph
from motionrag_nodes.batch_render.conversion.js_values import truthy
from motionrag_nodes.batch_render.conversion.node_definitions import InputDeclaration
from motionrag_nodes.batch_render.conversion.nodes import ANY, InputSlot, Node, OutputSlot, fits
from motionrag_nodes.batch_render.conversion.saved_graph import SavedLink, SavedNode
from motionrag_nodes.batch_render.conversion.text_replacement import fill_in
from motionrag_nodes.batch_render.conversion.widgets import Widget, first_widget, is_widget_type
from motionrag_nodes.batch_render.errors import ConversionError

_REPLACES_TEXT = "Run widget replace on values"
# Left out when two inputs are compared: they say nothing about which values fit.
_NOT_COMPARED = frozenset(
    {"default", "forceInput", "defaultInput", "control_after_generate", "multiline", "tooltip", "dynamicPrompts"}
)


@dataclass(eq=False)
class EditorOnlyNode(Node):
    """A note, a label, a switch for other nodes: nothing comes out of it."""

    virtual: bool = True

    def source_link(self, slot: int) -> SavedLink | None:
        """The link whose source stands for what comes out of `slot`; none where nothing does."""
        return None


@dataclass(eq=False)
class PassingNode(EditorOnlyNode):
    """What goes into an input comes out of the output of the same number: reroutes, and the setting end of a pair."""

    def source_link(self, slot: int) -> SavedLink | None:
        """The link into the input of the same place, None where there is none."""
        link_id = self.inputs[slot].link if 0 <= slot < len(self.inputs) else None
        return self.graph.links.get(link_id) if link_id is not None else None


@dataclass(eq=False)
class RerouteNode(PassingNode):
    """The editor's own reroute. It takes the type of what comes in, and lets go of inputs which that doesn't fit."""

    def settle(self) -> None:
        """Takes the type of what is at the beginning of its chain."""
        link = self.source_link(0)
        kind = self.graph.origin_type(link) if link is not None else None
        seen: set[str] = set()
        while link is not None and link.origin_id not in seen:
            seen.add(link.origin_id)
            origin = self.graph.node(link.origin_id)
            if not isinstance(origin, RerouteNode):
                kind = self.graph.origin_type(link)
                break
            link = origin.source_link(0)
            kind = None
        for output in self.outputs[:1]:
            output.type = kind or ANY
            for link_id in list(output.links):
                target = self.graph.target(self.graph.links[link_id]) if link_id in self.graph.links else None
                if target is not None and not isinstance(target[0], RerouteNode) and kind and target[1].type:
                    if not fits(kind, target[1].type):
                        target[0].disconnect(target[1])


@dataclass(eq=False)
class NamedValueNode(EditorOnlyNode):
    """Either end of a pair: its one value is the name by which the ends find each other."""

    name: Any = None

    def configure(self, saved: SavedNode) -> None:
        super().configure(saved)
        values = saved.values
        if isinstance(values, dict):
            values = list(values.values())
        self.name = values[0] if values else None


@dataclass(eq=False)
class SettingNode(NamedValueNode, PassingNode):
    """Gives what comes in a name, and passes it on."""


@dataclass(eq=False)
class GettingNode(NamedValueNode):
    """Gives out what the node that sets the same name gets."""

    def source_link(self, slot: int) -> SavedLink | None:
        """That of the setting node of the same name. Raises ConversionError when there is none."""
        for node in self.graph.nodes:
            if isinstance(node, SettingNode) and node.name == self.name:
                return node.source_link(slot)
        raise ConversionError(
            f"{self.named}: Expected a node beside it that sets {self.name!r:.60}, found none: set it there, connect "
            'the nodes directly, or use "Export (API)" in ComfyUI.'
        )


@dataclass(eq=False)
class PrimitiveNode(EditorOnlyNode):
    """A value for the widgets that it is connected to. It takes their kind from the first of them."""

    saved_values: list[Any] = field(default_factory=list)

    def configure(self, saved: SavedNode) -> None:
        super().configure(saved)
        self.saved_values = saved.values if isinstance(saved.values, list) else []
        self.outputs = self.outputs or [OutputSlot("connect to widget input", ANY)]

    def take_values(self, values: list[Any] | dict[str, Any] | None) -> None:
        """There is no widget yet: see make_widget()."""

    def make_widget(self) -> None:
        """Makes the widget after the first input that it is connected to, and limits its value to what fits all."""
        targets = self._targets()
        first = targets[0][1] if targets else None
        declared = first.declared if first is not None else None
        if first is not None and first.widget is None and is_widget_type(str(first.type)):
            declared = InputDeclaration(first.name, str(first.type))
        if declared is None:
            return
        node = targets[0][0]
        widget = first_widget(declared)
        self.widgets = [widget]
        fed = node.widget(first.widget) if first is not None and first.widget is not None else None
        if fed is not None:
            widget.set(fed.value)
        if self.saved_values:
            widget.set(self.saved_values[0])
        if declared.type in ("INT", "FLOAT"):
            self._limit(widget, declared, [slot for _node, slot in targets])

    def apply(self, root: Graph, now: datetime) -> None:
        """Copies the value into the widgets that it is connected to."""
        if not self.widgets:
            return
        value = self.widgets[0].value
        if truthy(value) and isinstance(value, str) and truthy(self.properties.get(_REPLACES_TEXT)):
            value = fill_in(value, self.graph, now)
        for node, slot in self._targets():
            widget = node.widget(slot.widget) if slot.widget is not None else None
            if widget is not None:
                widget.set_by_program(value)

    def _targets(self) -> list[tuple[Node, InputSlot]]:
        found = []
        for link_id in self.outputs[0].links if self.outputs else []:
            link = self.graph.links.get(link_id)
            node = self.graph.node(link.target_id) if link is not None else None
            if link is not None and node is not None and 0 <= link.target_slot < len(node.inputs):
                found.append((node, node.inputs[link.target_slot]))
        return found

    def _limit(self, widget: Widget, declared: InputDeclaration, slots: list[InputSlot]) -> None:
        common = _comparable(declared)
        for slot in slots:
            merged = _merged(common, _comparable(slot.declared)) if slot.declared is not None else None
            if merged is None:
                continue
            common = merged
            number = first_widget(InputDeclaration("value", declared.type, options=merged))
            low, high = merged["min"], merged["max"]
            if _is_number(widget.value):
                widget.value = low if widget.value < low else high if widget.value > high else widget.value
            widget.numbers = number.numbers
            widget.set_by_program(widget.value)


def _comparable(declared: InputDeclaration) -> dict[str, Any]:
    return {**declared.options, "type": declared.type}


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any] | None:
    """Limits and step that fit two inputs, or None where the inputs differ in anything else."""
    if first["type"] != second["type"]:
        return None
    low = max(_limit_of(first, "min", -math.inf), _limit_of(second, "min", -math.inf))
    high = min(_limit_of(first, "max", math.inf), _limit_of(second, "max", math.inf))
    if low > high:
        return None
    step = _common_multiple(_limit_of(first, "step", 1), _limit_of(second, "step", 1))
    numbers = {"min": low, "max": high, "step": step}
    one, other = {**first, **numbers}, {**second, **numbers}
    for name in {*one, *other} - _NOT_COMPARED:
        if one.get(name) != other.get(name):
            return None
    return {**one, **other}


def _limit_of(options: Mapping[str, Any], name: str, otherwise: float) -> float:
    value = options.get(name)
    return value if _is_number(value) else otherwise


def _common_multiple(first: float, second: float) -> float:
    divisor, rest = first, second
    for _ in range(1000):
        if rest == 0:
            break
        divisor, rest = rest, math.fmod(divisor, rest)
    return abs(first * second) / divisor if divisor else 0


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


# The editor's own, then those of widespread packs. A class that the server has is never taken for one of them.
EDITOR_ONLY: dict[str, type[EditorOnlyNode]] = {
    "Note": EditorOnlyNode,
    "MarkdownNote": EditorOnlyNode,
    "Reroute": RerouteNode,
    "PrimitiveNode": PrimitiveNode,
    "SetNode": SettingNode,
    "GetNode": GettingNode,
    "easy setNode": SettingNode,
    "easy getNode": GettingNode,
    "Reroute (rgthree)": PassingNode,
    "Label (rgthree)": EditorOnlyNode,
    "Bookmark (rgthree)": EditorOnlyNode,
    "Fast Bypasser (rgthree)": EditorOnlyNode,
    "Fast Muter (rgthree)": EditorOnlyNode,
    "Fast Groups Bypasser (rgthree)": EditorOnlyNode,
    "Fast Groups Muter (rgthree)": EditorOnlyNode,
    "Fast Actions Button (rgthree)": EditorOnlyNode,
    "Node Collector (rgthree)": EditorOnlyNode,
    "Mute / Bypass Relay (rgthree)": EditorOnlyNode,
    "Mute / Bypass Repeater (rgthree)": EditorOnlyNode,
    "Random Unmuter (rgthree)": EditorOnlyNode,
}
_TITLES = {"MarkdownNote": "Markdown Note", "PrimitiveNode": "Primitive"}
# These names are the editor's, whatever a server declares.
_OWN = frozenset({"Note", "MarkdownNote", "Reroute", "PrimitiveNode"})


def make_editor_only_node(node_id: str, kind: str, graph: Graph, *, server_has_class: bool) -> EditorOnlyNode | None:
    """The node, or None where the class is not one of the editor's."""
    made = EDITOR_ONLY.get(kind)
    if made is None or (server_has_class and kind not in _OWN):
        return None
    node = made(id=node_id, type=kind, graph=graph, class_title=_TITLES.get(kind, kind))
    if isinstance(node, RerouteNode):
        node.inputs, node.outputs = [InputSlot("", ANY)], [OutputSlot("", ANY)]
    if kind in ("Note", "MarkdownNote"):
        node.widgets = [Widget("text", "text area", "")]
    return node

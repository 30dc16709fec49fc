"""Widgets shown on a subgraph's instance as older editors saved it: a list of [node inside, widget].

Such a list becomes inputs of the subgraph, linked to the widgets. The instance's saved values are in the order of
the list.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from motionrag_nodes.batch_render.conversion.graphs import Graph, GraphEnd
from motionrag_nodes.batch_render.conversion.js_values import UNDEFINED
from motionrag_nodes.batch_render.conversion.nodes import InputSlot, Node
from motionrag_nodes.batch_render.conversion.saved_graph import SavedNode
from motionrag_nodes.batch_render.conversion.subgraph_nodes import SubgraphNode
from motionrag_nodes.batch_render.conversion.widgets import Widget

PROPERTY = "proxyWidgets"
_OWN_INPUT = "-1"  # in place of a node's id: an input of the instance itself
_PRIMITIVE = "PrimitiveNode"
_PREVIEW = "$$"  # starts the names of pictures, which hold no value
_PREFIX = re.compile(r"^\s*(\d+)\s*:\s*(.+)$")
_MOVED_TO = "proxyBypassedToSubgraphInput"


@dataclass
class _Entry:
    node_id: str
    widget_name: str
    inner_id: str | None  # of several instances' widgets: the one of this node
    value: Any  # UNDEFINED where the instance saved none
    index: int = 0
    original: tuple[str, str] = ("", "")


def show_listed_widgets(host: SubgraphNode, saved: SavedNode) -> None:
    """Turns the instance's list, if it has one, into inputs with values. Entries that lead nowhere are dropped."""
    values = saved.values if isinstance(saved.values, list) else []
    entries = []
    for index, item in enumerate(_parsed(host.properties.get(PROPERTY))):
        value = values[index] if index < len(values) and values[index] is not None else UNDEFINED
        node_id, name, inner = item[0], item[1], item[2] if len(item) > 2 else None
        name, prefix = (name, None) if _resolves(host, node_id, name) else _without_prefixes(name)
        entries.append(_Entry(node_id, name, prefix or inner, value, index, (item[0], item[1])))
    # What becomes of each entry is decided before anything is changed.
    plans = [(entry, *_plan(host, entry, entries)) for entry in entries]
    primitives: dict[str, list[_Entry]] = {}
    for entry, plan, detail in plans:
        if plan == "linked":
            _set(host.input(detail), entry)
        elif plan == "primitive":
            primitives.setdefault(entry.node_id, []).append(entry)
        elif plan == "new input":
            _new_input(host, entry)
        elif plan == "lost" and entry.original[0] == _OWN_INPUT:
            _set(host.input(entry.original[1]), entry)
    for node_id, group in primitives.items():
        _replace_primitive(host, node_id, group)


def _parsed(listed: Any) -> list[list[str]]:
    if isinstance(listed, str):
        try:
            listed = json.loads(listed)
        except ValueError:
            return []
    if not isinstance(listed, list):
        return []
    fits = all(
        isinstance(item, list) and len(item) in (2, 3) and all(isinstance(part, str) for part in item)
        for item in listed
    )
    return listed if fits else []


def _without_prefixes(name: str) -> tuple[str, str | None]:
    """ "5: 7: seed" is the widget "seed" of node 7."""
    inner = None
    while found := _PREFIX.match(name):
        inner, name = found.groups()
    return name, inner


def _plan(host: SubgraphNode, entry: _Entry, entries: list[_Entry]) -> tuple[str, str]:
    for end, slot in zip(host.subgraph.inputs, host.inputs, strict=False):
        if _source(host.subgraph, end) == (entry.node_id, entry.widget_name):
            return "linked", slot.name
    node = host.subgraph.node(entry.node_id)
    if node is None:
        return "lost", ""
    if node.type == _PRIMITIVE:
        moved = node.properties.get(_MOVED_TO)
        if isinstance(moved, str) and host.input(moved) is not None:
            return "linked", moved
        twice = sum(other.node_id == entry.node_id for other in entries) >= 2
        return ("primitive", "") if _targets(host.subgraph, node) or twice else ("lost", "")
    widget = _widget(node, entry)
    if widget is None:
        return "lost", ""
    if entry.widget_name.startswith(_PREVIEW) or (widget.kind == "player" and not (widget.saved and widget.sent)):
        return "preview", ""
    return "new input", ""


def _source(graph: Graph, end: GraphEnd) -> tuple[str, str] | None:
    """Node and widget inside that an input of a subgraph is linked to."""
    for link_id in end.links:
        link = graph.links.get(link_id)
        found = graph.target(link) if link is not None else None
        if found is None:
            continue
        node, slot = found
        if isinstance(node, SubgraphNode):
            return node.id, slot.name
        widget = node.widget_of(slot)
        if widget is not None:
            return node.id, widget.name
    return None


def _resolves(host: SubgraphNode, node_id: str, name: str) -> bool:
    """Whether the name is that of a widget, through any number of instances."""
    for _ in range(100):
        node = host.subgraph.node(node_id)
        if node is None:
            return False
        if not isinstance(node, SubgraphNode):
            return node.widget(name) is not None
        end = next((end for end in node.subgraph.inputs if end.name == name), None)
        source = _source(node.subgraph, end) if end is not None else None
        if source is None:
            return False
        host, (node_id, name) = node, source
    return False


def _widget(node: Node, entry: _Entry) -> Widget | None:
    if isinstance(node, SubgraphNode):
        for end, slot in zip(node.subgraph.inputs, node.inputs, strict=False):
            source = _source(node.subgraph, end)
            if entry.inner_id is not None:
                matches = source == (entry.inner_id, entry.widget_name)
            else:
                matches = slot.name == entry.widget_name or (source is not None and source[1] == entry.widget_name)
            if matches:
                if slot.shown is not None:
                    return slot.shown
                break
    return node.widget(entry.widget_name)


def _set(slot: InputSlot | None, entry: _Entry) -> None:
    if slot is not None and slot.shown is not None:
        slot.listed = entry.index
        if entry.value is not UNDEFINED:
            slot.shown.value = entry.value


def _new_input(host: SubgraphNode, entry: _Entry) -> None:
    node = host.subgraph.node(entry.node_id)
    widget = _widget(node, entry) if node is not None else None
    slot = node.slot_of(widget) if node is not None and widget is not None else None
    if node is None or slot is None:
        return
    end = _add_end(host.subgraph, entry.widget_name, slot.type or ANY_TYPE)
    host.subgraph.connect_input(end, node, slot)
    _show_everywhere(host.subgraph, end)
    _set(host.input(end.name), entry)


ANY_TYPE = "*"


def _add_end(graph: Graph, name: str, kind: Any) -> GraphEnd:
    names = {end.name for end in graph.inputs}
    unique, number = name, 1
    while unique in names:
        unique, number = f"{name}_{number}", number + 1
    end = GraphEnd(unique, kind)
    graph.inputs.append(end)
    for instance in graph.instances:
        instance.add_input(end)
    return end


def _show_everywhere(graph: Graph, end: GraphEnd) -> None:
    for instance in graph.instances:
        slot = instance.input(end.name)
        if slot is not None:
            instance.show_widget(end, slot)


def _targets(graph: Graph, node: Node) -> list[tuple[Node, InputSlot]]:
    """Where a primitive's links end; none when one of them ends nowhere."""
    found = []
    for link_id in node.outputs[0].links if node.outputs else []:
        link = graph.links.get(link_id)
        target = graph.node(link.target_id) if link is not None else None
        if link is None or target is None:
            continue
        slot = next((slot for slot in target.inputs if slot.link == link_id), None)
        if slot is None and 0 <= link.target_slot < len(target.inputs):
            slot = target.inputs[link.target_slot]
        if slot is not None:
            found.append((target, slot))
    return found


def _replace_primitive(host: SubgraphNode, node_id: str, group: list[_Entry]) -> None:
    """An input of the subgraph takes the place of a primitive, with the instance's value."""
    graph = host.subgraph
    primitive = graph.node(node_id)
    if primitive is None or not primitive.outputs or len({entry.widget_name for entry in group}) > 1:
        return
    targets = _targets(graph, primitive)
    kind = primitive.outputs[0].type or ANY_TYPE
    if not targets or any(slot.type != kind and ANY_TYPE not in (slot.type, kind) for _node, slot in targets):
        return
    name = primitive.title if primitive.title and primitive.title != _PRIMITIVE else group[0].widget_name
    end = _add_end(graph, name, kind)
    for node, slot in targets:
        graph.connect_input(end, node, slot)
    _show_everywhere(graph, end)
    _set(host.input(end.name), next((entry for entry in group if entry.value is not UNDEFINED), group[0]))
    primitive.properties[_MOVED_TO] = end.name

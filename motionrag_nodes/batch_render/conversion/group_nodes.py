"""Takes group nodes apart, as the editor does when it loads a workflow that has some.

The editor makes a subgraph of each: the nodes inside get the next free ids, and the instance the id after them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motionrag_nodes.batch_render.conversion.class_nodes import ClassNode
from motionrag_nodes.batch_render.conversion.editor_only_nodes import PrimitiveNode
from motionrag_nodes.batch_render.conversion.graphs import Graph
from motionrag_nodes.batch_render.conversion.group_types import PREFIXES, GroupType, read_group
from motionrag_nodes.batch_render.conversion.node_definitions import NodeDefinitions
from motionrag_nodes.batch_render.conversion.nodes import Node, fits
from motionrag_nodes.batch_render.conversion.saved_graph import SavedGraph, SavedLink, SavedNode
from motionrag_nodes.batch_render.conversion.widgets import Widget

_OWN = frozenset({"Note", "MarkdownNote", "Reroute", "PrimitiveNode"})


def group_types(saved: SavedGraph, definitions: NodeDefinitions) -> dict[str, GroupType]:
    """The groups that a workflow brings, by the type of their nodes; those with unknown nodes inside are left out."""
    groups = saved.extra.get("groupNodes")
    found = {}
    for name, data in (groups if isinstance(groups, dict) else {}).items():
        listed = data.get("nodes") if isinstance(data, dict) else None
        types = [item.get("type") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
        if all(isinstance(kind, str) and (kind in definitions or kind in _OWN) for kind in types):
            group = read_group(name, data, definitions)
            found.update({f"{prefix}{name}": group for prefix in PREFIXES})
    return found


class GroupNode(ClassNode):
    """An instance of a group, until it is taken apart."""

    group: GroupType


def take_apart(graph: Graph, make: Callable[[SavedNode, Graph], Node], last_id: int) -> None:
    """Replaces every group node by the nodes inside, with ids such as "53:51"."""
    for group_node in [node for node in graph.nodes if isinstance(node, GroupNode)]:
        group = group_node.group
        first, last_id = last_id + 1, last_id + len(group.nodes) + 1
        nodes = []
        for number, item in enumerate(group.nodes):
            alone = _unconnected(item, f"{last_id}:{first + number}")
            node = make(alone, graph)
            node.configure(alone)
            graph.add(node)
            nodes.append(node)
        for link in group.links:
            if link.origin < len(nodes) and link.target < len(nodes):
                _connect(graph, nodes[link.origin], link.origin_slot, nodes[link.target], link.target_slot)
        for number, node in enumerate(nodes):
            _take_values(group_node, group.widgets.get(number, {}), node)
        _connect_inputs(graph, group_node, nodes)
        _connect_outputs(graph, group_node, nodes)
        graph.remove(group_node)


def _unconnected(item: SavedNode, node_id: str) -> SavedNode:
    return SavedNode(
        id=node_id,
        type=item.type,
        title=item.title,
        mode=item.mode,
        inputs=[{**slot, "link": None} for slot in item.inputs],
        outputs=[{**slot, "links": []} for slot in item.outputs],
        properties=item.properties,
        values=item.values,
        numeric_id=False,
    )


def _take_values(group_node: GroupNode, names: dict[str, str | None], node: Node) -> None:
    for own_name, group_name in names.items():
        outer = group_node.widget(group_name) if group_name is not None else None
        if outer is None:
            continue
        if isinstance(node, PrimitiveNode):
            node.saved_values = [outer.value]
            continue
        inner = node.widget(own_name)
        if inner is not None:
            inner.set(outer.value)
            for one, other in zip(_behind(node, inner), _behind(group_node, outer), strict=False):
                one.set(other.value)


def _behind(node: Node, widget: Widget) -> list[Widget]:
    """The controls that belong to a widget."""
    index = node.widgets.index(widget) + 1
    found = []
    while index < len(node.widgets) and not node.widgets[index].sent and node.widgets[index].kind == "choice":
        found.append(node.widgets[index])
        index += 1
    return found


def _connect_inputs(graph: Graph, group_node: GroupNode, nodes: list[Node]) -> None:
    for number, places in group_node.group.inputs.items():
        for name, place in places.items():
            link_id = group_node.inputs[place].link if place < len(group_node.inputs) else None
            link = graph.links.get(link_id) if link_id is not None else None
            origin = graph.node(link.origin_id) if link is not None else None
            index = next((index for index, slot in enumerate(nodes[number].inputs) if slot.name == name), None)
            if link is not None and origin is not None and index is not None:
                _connect(graph, origin, link.origin_slot, nodes[number], index)


def _connect_outputs(graph: Graph, group_node: GroupNode, nodes: list[Node]) -> None:
    for place, output in enumerate(group_node.outputs):
        if place not in group_node.group.outputs:
            continue
        number, slot = group_node.group.outputs[place]
        for link in [graph.links[link_id] for link_id in list(output.links) if link_id in graph.links]:
            target = graph.node(link.target_id)
            if target is not None:
                _connect(graph, nodes[number], slot, target, link.target_slot)


def _connect(graph: Graph, origin: Node, origin_slot: int, target: Node, target_slot: int) -> None:
    """Connects two slots, in place of what the second was connected to, if both exist and fit."""
    if not (0 <= origin_slot < len(origin.outputs) and 0 <= target_slot < len(target.inputs)):
        return
    output, slot = origin.outputs[origin_slot], target.inputs[target_slot]
    if not fits(output.type, slot.type):
        return
    target.disconnect(slot)
    graph.last_link_id += 1
    kind: Any = slot.type or output.type
    link = SavedLink(graph.last_link_id, origin.id, origin_slot, target.id, target_slot, kind)
    graph.links[link.id] = link
    output.links.append(link.id)
    slot.link = link.id

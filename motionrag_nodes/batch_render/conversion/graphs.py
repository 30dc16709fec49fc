"""Graphs as the editor holds them: nodes, links, and the named ends of a subgraph."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motionrag_nodes.batch_render.conversion.js_values import property_order
from motionrag_nodes.batch_render.conversion.saved_graph import SUBGRAPH_INPUT, SUBGRAPH_OUTPUT, SavedLink

if TYPE_CHECKING:
    from motionrag_nodes.batch_render.conversion.nodes import InputSlot, Node
    from motionrag_nodes.batch_render.conversion.subgraph_nodes import SubgraphNode


@dataclass(eq=False)
class GraphEnd:
    """A named input or output of a subgraph, and the links inside that start or end there."""

    name: str
    type: Any
    links: list[int] = field(default_factory=list)
    label: str | None = None


@dataclass(eq=False)
class Graph:
    """The workflow itself or a subgraph. `id`: a subgraph's; `instances`: the nodes that stand for it."""

    id: str = ""
    name: str = ""
    nodes: list[Node] = field(default_factory=list)
    links: dict[int, SavedLink] = field(default_factory=dict)
    inputs: list[GraphEnd] = field(default_factory=list)
    outputs: list[GraphEnd] = field(default_factory=list)
    instances: list[SubgraphNode] = field(default_factory=list)
    last_link_id: int = 0
    _by_id: dict[str, Node] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """Appends a node."""
        self.nodes.append(node)
        self._by_id[node.id] = node

    def remove(self, node: Node) -> None:
        """Takes a node away with all of its links."""
        for slot in node.inputs:
            node.disconnect(slot)
        for link_id in [link_id for output in node.outputs for link_id in output.links]:
            link = self.links.pop(link_id, None)
            found = self.node(link.target_id) if link is not None else None
            for slot in found.inputs if found is not None else []:
                slot.link = None if slot.link == link_id else slot.link
        self.nodes.remove(node)
        self._by_id.pop(node.id, None)

    def node(self, node_id: str) -> Node | None:
        """The node of that id, None where there is none."""
        return self._by_id.get(node_id)

    def target(self, link: SavedLink) -> tuple[Node, InputSlot] | None:
        """The node and slot where a link ends, by the slot that holds the link."""
        node = self.node(link.target_id)
        slot = next((slot for slot in node.inputs if slot.link == link.id), None) if node is not None else None
        return (node, slot) if node is not None and slot is not None else None

    def origin_type(self, link: SavedLink) -> Any:
        """The type of what a link comes from, or None where it comes from nowhere."""
        if link.origin_id == SUBGRAPH_INPUT:
            return self.inputs[link.origin_slot].type if 0 <= link.origin_slot < len(self.inputs) else None
        node = self.node(link.origin_id)
        if node is None or not 0 <= link.origin_slot < len(node.outputs):
            return None
        return node.outputs[link.origin_slot].type

    def connect_input(self, end: GraphEnd, node: Node, slot: InputSlot) -> None:
        """Links an input of this subgraph to a slot inside, in place of what the slot was linked to."""
        if slot.link is not None:
            former = self.links.pop(slot.link, None)
            if former is not None and former.origin_id == SUBGRAPH_INPUT:
                for other in self.inputs:
                    if slot.link in other.links:
                        other.links.remove(slot.link)
            node.disconnect(slot)
        self.last_link_id += 1
        link = SavedLink(
            id=self.last_link_id,
            origin_id=SUBGRAPH_INPUT,
            origin_slot=self.inputs.index(end),
            target_id=node.id,
            target_slot=node.inputs.index(slot),
            type=slot.type,
        )
        self.links[link.id] = link
        end.links.append(link.id)
        slot.link = link.id

    def repair_ends(self) -> None:
        """Where an end names links that are gone, it takes the links that name the end."""
        for ends, own_id, by_origin in ((self.inputs, SUBGRAPH_INPUT, True), (self.outputs, SUBGRAPH_OUTPUT, False)):
            for index, end in enumerate(ends):
                kept = [link_id for link_id in end.links if link_id in self.links]
                if len(kept) == len(end.links):
                    continue
                for link in self.links.values():
                    node_id, slot = (
                        (link.origin_id, link.origin_slot) if by_origin else (link.target_id, link.target_slot)
                    )
                    if node_id == own_id and slot == index and link.id not in kept:
                        kept.append(link.id)
                end.links[:] = kept

    def number_link_ends(self) -> None:
        """Links end at the slots that hold them: a class may have got other inputs since the file was saved."""
        for node in self.nodes:
            for index, slot in enumerate(node.inputs):
                if slot.link and slot.link in self.links:
                    self.links[slot.link].target_slot = index

    def execution_order(self) -> list[Node]:
        """Nodes behind those that they depend on, as the editor sorts them; the order of a prompt's entries."""
        waiting = {node.id: node for node in self.nodes}
        open_links = {node.id: sum(slot.link is not None for slot in node.inputs) for node in self.nodes}
        ready = deque(node for node in self.nodes if open_links[node.id] == 0)
        seen: set[int] = set()
        ordered: list[Node] = []
        while ready:
            node = ready.popleft()
            ordered.append(node)
            waiting.pop(node.id, None)
            for link_id in [link_id for output in node.outputs for link_id in output.links]:
                link = self.links.get(link_id)
                if link is None or link_id in seen:
                    continue
                seen.add(link_id)
                target = self.node(link.target_id)
                if target is not None:
                    open_links[target.id] -= 1
                    if open_links[target.id] == 0:
                        ready.append(target)
        return ordered + [waiting[node_id] for node_id in property_order(waiting)]


def all_nodes(graph: Graph) -> Iterator[Node]:
    """Every node of a graph and of its subgraphs, once for each instance, what is inside before what holds it."""
    for node in graph.nodes:
        inner = inside(node)
        if inner is not None:
            yield from all_nodes(inner)
        yield node


def inside(node: Node) -> Graph | None:
    """The graph that a node stands for, or None."""
    return getattr(node, "subgraph", None)

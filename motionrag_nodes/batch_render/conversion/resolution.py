"""Follows an input to the node that really feeds it: through subgraphs, reroutes and bypassed nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from motionrag_nodes.batch_render.conversion.editor_only_nodes import EditorOnlyNode
from motionrag_nodes.batch_render.conversion.graphs import Graph
from motionrag_nodes.batch_render.conversion.nodes import ANY, Node, fits
from motionrag_nodes.batch_render.conversion.saved_graph import BYPASSED, MUTED, SUBGRAPH_INPUT, SavedLink
from motionrag_nodes.batch_render.conversion.subgraph_nodes import SubgraphNode
from motionrag_nodes.batch_render.errors import ConversionError

_MOST_NODES = 100_000  # subgraphs in subgraphs multiply


@dataclass(eq=False)
class Placed:
    """A node at its place: `path` holds the ids of the instances around it; `host` is the innermost of them."""

    node: Node
    path: tuple[str, ...] = ()
    host: SubgraphNode | None = None

    @property
    def id(self) -> str:
        """The node's id in the prompt: those of the subgraphs around it and its own, between colons."""
        return ":".join((*self.path, self.node.id))


@dataclass(frozen=True)
class Output:
    """An output of a node that the server runs."""

    node_id: str
    slot: int


@dataclass(frozen=True)
class InstanceValue:
    """The value of a widget that a subgraph's instance shows."""

    value: Any


@dataclass
class Places:
    """All nodes at all of their places, by id, in the order of the prompt."""

    by_id: dict[str, Placed] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Graph) -> Places:
        """Muted and bypassed instances in the workflow itself are not entered."""
        places = cls()
        for node in root.execution_order():
            places._add(Placed(node))
            if node.active and isinstance(node, SubgraphNode):
                places._enter(node, (), ())
        return places

    def _enter(self, instance: SubgraphNode, path: tuple[str, ...], around: tuple[SubgraphNode, ...]) -> None:
        inside = (*path, instance.id)
        for node in instance.subgraph.nodes:
            self._add(Placed(node, inside, instance))
            if isinstance(node, SubgraphNode):
                self._enter(node, inside, (*around, instance))

    def _add(self, placed: Placed) -> None:
        if len(self.by_id) >= _MOST_NODES:
            raise ConversionError(f"Expected a workflow of up to {_MOST_NODES:,} nodes, received more: split it.")
        self.by_id[placed.id] = placed

    def source(self, placed: Placed, slot: int) -> Output | InstanceValue | None:
        """What feeds an input; None where nothing does.

        Raises ConversionError: a link is missing, leads nowhere or in a circle; the editor refuses those too.
        """
        return _Walk(self, placed).source(placed, slot)

    def at(self, path: tuple[str, ...], node: Node) -> Placed:
        """The node at a place. Raises ConversionError when it is not part of the workflow."""
        found = self.by_id.get(":".join((*path, node.id)))
        if found is None:
            raise ConversionError(
                f"Expected links from nodes of the workflow, but {node.named} is no part of it: open it in ComfyUI and "
                "save it again."
            )
        return found


@dataclass
class _Walk:
    """One way from an input to its source. `start` is named in messages."""

    places: Places
    start: Placed
    visited: set[str] = field(default_factory=set)

    def source(self, placed: Placed, slot: int) -> Output | InstanceValue | None:
        step: _Step | Output | InstanceValue | None = _Step(placed, slot, at_input=True)
        while isinstance(step, _Step):
            self._visit(step)
            step = self._from_input(step) if step.at_input else self._from_output(step)
        return step

    def _visit(self, step: _Step) -> None:
        host = step.placed.host.subgraph.id if step.placed.host is not None else ""
        key = f"{host}:{step.placed.node.id}[{'I' if step.at_input else 'O'}]{step.slot}"
        if key in self.visited:
            self._broken("is fed through the same connection twice, which the editor takes for a circle")
        self.visited.add(key)

    def _from_input(self, step: _Step) -> _Step | InstanceValue | None:
        placed = step.placed
        if not 0 <= step.slot < len(placed.node.inputs):
            self._broken(f"leads to input {step.slot} of {placed.node.described}, which has no such input")
        slot = placed.node.inputs[step.slot]
        if slot.link is None:
            return None
        link = placed.node.graph.links.get(slot.link)
        if link is None:
            self._broken(f"has link {slot.link} at {placed.node.described}, which is not among the links")
        if placed.host is not None and link.origin_id == SUBGRAPH_INPUT:
            return self._out_of_subgraph(placed, placed.host, link)
        origin = placed.node.graph.node(link.origin_id)
        if origin is None:
            self._broken(f"has a link from node {link.origin_id}, which is not in the workflow")
        kind = step.kind if step.kind is not None else slot.type
        return _Step(self.places.at(placed.path, origin), link.origin_slot, at_input=False, kind=kind)

    def _out_of_subgraph(self, placed: Placed, host: SubgraphNode, link: SavedLink) -> _Step | InstanceValue | None:
        if not 0 <= link.origin_slot < len(host.inputs):
            self._broken(f"is linked to input {link.origin_slot} of its subgraph, which has no such input")
        slot = host.inputs[link.origin_slot]
        if slot.link is None:
            return InstanceValue(slot.shown.value) if slot.shown is not None else None
        outer = host.graph.links.get(slot.link)
        if outer is None:
            self._broken(f"has link {slot.link} at {host.described}, which is not among the links")
        return _Step(self.places.at(placed.path[:-1], host), outer.target_slot, at_input=True)

    def _from_output(self, step: _Step) -> _Step | Output | None:
        node = step.placed.node
        if node.mode == MUTED:
            return None
        if node.mode == BYPASSED:
            slot = self._bypass(node, step)
            return None if slot is None else _Step(step.placed, slot, at_input=True)
        if isinstance(node, SubgraphNode):
            return self._into_subgraph(step.placed, node, step)
        if isinstance(node, EditorOnlyNode):
            link = node.source_link(step.slot)
            passing = node.graph.node(link.target_id) if link is not None else None
            if link is None or passing is None:
                return None
            through = self.places.at(step.placed.path, passing)
            return _Step(through, link.target_slot, at_input=True, kind=step.kind)
        return Output(step.placed.id, step.slot)

    def _into_subgraph(self, placed: Placed, node: SubgraphNode, step: _Step) -> _Step | None:
        graph = node.subgraph
        if not 0 <= step.slot < len(graph.outputs):
            self._broken(f"is linked to output {step.slot} of {node.described}, which has no such output")
        ending = [graph.links[link_id] for link_id in graph.outputs[step.slot].links if link_id in graph.links]
        if not ending:
            return None
        inner = graph.node(ending[0].origin_id)
        if inner is None:
            self._broken(f"gets what {node.described} passes on without a node between")
        return _Step(
            self.places.at((*placed.path, node.id), inner), ending[0].origin_slot, at_input=False, kind=step.kind
        )

    def _bypass(self, node: Node, step: _Step) -> int | None:
        """The input that takes an output's place: the one of the same number if its type fits, else by type."""
        kind = step.kind
        if not 0 <= step.slot < len(node.outputs):
            self._broken(f"is linked to output {step.slot} of {node.described}, which has no such output")
        given = node.outputs[step.slot].type
        if kind in (ANY, ""):
            return step.slot if step.slot < len(node.inputs) else 0
        if step.slot < len(node.inputs):
            own = node.inputs[step.slot].type
            if fits(own, given) and fits(own, kind):
                return step.slot
        exact = [index for index, slot in enumerate(node.inputs) if slot.type == kind]
        fitting = [index for index, slot in enumerate(node.inputs) if fits(slot.type, given) and fits(slot.type, kind)]
        return next(iter(exact or fitting), None)

    def _broken(self, what: str) -> NoReturn:
        raise ConversionError(
            f"Node {self.start.id} ({self.start.node.title or self.start.node.type}): Expected connections that "
            f"ComfyUI can send, but it {what}: mend the connection there and save again."
        )


@dataclass(frozen=True)
class _Step:
    placed: Placed
    slot: int
    at_input: bool
    kind: Any = None

"""Values typed into a saved workflow: where it holds that of an input, and the workflow with another value there.

The workflow is then as the editor would save it after its user had entered the value: a field that was fed by a
connection loses it, one that a subgraph's instance shows is filled in there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motionrag_nodes.batch_render.conversion.graphs import Graph
from motionrag_nodes.batch_render.conversion.js_values import UNDEFINED
from motionrag_nodes.batch_render.conversion.nodes import InputSlot
from motionrag_nodes.batch_render.conversion.promoted_widgets import PROPERTY
from motionrag_nodes.batch_render.conversion.resolution import Placed, Places
from motionrag_nodes.batch_render.conversion.saved_graph import SUBGRAPH_INPUT, SavedGraph, SavedNode
from motionrag_nodes.batch_render.conversion.subgraph_nodes import SubgraphNode


@dataclass(frozen=True)
class TypedPlace:
    """Where a saved workflow holds a value. Ids are those of the file, `path` those of the instances around the node.

    `key`: the place among the node's saved values, or their name where they are saved by name. `values`: all of them,
    where they stand in a list. `cut`: the input whose connection gives way to the value.
    """

    path: tuple[str, ...]
    node_id: str
    key: int | str
    values: tuple[Any, ...] | None = None
    cut: str | None = None

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> TypedPlace:
        """From what JSON holds of it."""
        values = data["values"]
        return TypedPlace(
            tuple(data["path"]), data["node_id"], data["key"], None if values is None else tuple(values), data["cut"]
        )


@dataclass
class SavedPlaces:
    """Finds places in the file that `saved` was read from. `new_ids`: subgraph -> id as saved -> id given since."""

    places: Places
    saved: SavedGraph
    new_ids: Mapping[str, Mapping[str, str]]

    def find(self, node_id: str, input_name: str) -> TypedPlace | None:
        """The place of an input of the prompt, or None: the file has none that is this input's alone.

        An input without a field has none, and a field in a subgraph that is used twice, unless its instances show it.
        """
        placed = self.places.by_id.get(node_id)
        widget = placed.node.widget(input_name) if placed is not None else None
        if placed is None or widget is None or not widget.saved or not self._is_single(placed):
            return None
        slot = placed.node.slot_of(widget)
        if slot is not None and slot.link is not None:
            shown = self._shown(placed, slot)
            if shown is not None:
                return shown
        item = self._item(placed)
        if item is None:
            return None
        cut = slot.name if slot is not None and slot.link is not None else None
        if isinstance(item.values, dict):
            return TypedPlace(self._path(placed), self._saved_id(placed), widget.name, cut=cut)
        kept = [other for other in placed.node.widgets if other.saved]
        rest = (item.values or [])[len(kept) :]
        return TypedPlace(
            self._path(placed),
            self._saved_id(placed),
            kept.index(widget),
            (*(_plain(other.value) for other in kept), *rest),
            cut,
        )

    def _shown(self, placed: Placed, slot: InputSlot) -> TypedPlace | None:
        """The place on the outermost instance that shows the field, if the field is the only one that it feeds."""
        while placed.host is not None:
            link = placed.node.graph.links.get(slot.link) if slot.link is not None else None
            host = placed.host
            if link is None or link.origin_id != SUBGRAPH_INPUT or not 0 <= link.origin_slot < len(host.inputs):
                return None
            if len(host.subgraph.inputs[link.origin_slot].links) != 1:
                return None
            placed, slot = self.places.at(placed.path[:-1], host), host.inputs[link.origin_slot]
            if slot.link is None:
                return self._on_instance(placed, host, slot)
        return None

    def _on_instance(self, placed: Placed, host: SubgraphNode, slot: InputSlot) -> TypedPlace | None:
        item = self._item(placed)
        if slot.shown is None or item is None or isinstance(item.values, dict):
            return None
        if PROPERTY in item.properties:
            if slot.listed is None:
                return None
            values = item.values or []
            padded = (*values, *[None] * (slot.listed + 1 - len(values)))
            return TypedPlace(self._path(placed), self._saved_id(placed), slot.listed, padded)
        shown = [other for other in host.inputs if other.shown is not None]
        held = tuple(_plain(other.shown.value) for other in shown if other.shown is not None)
        return TypedPlace(self._path(placed), self._saved_id(placed), shown.index(slot), held)

    def _is_single(self, placed: Placed) -> bool:
        """Whether no other instance shares the definitions around a node."""
        return all(len(graph.instances) == 1 for graph in self._around(placed))

    def _around(self, placed: Placed) -> list[Graph]:
        found = []
        for depth in range(1, len(placed.path) + 1):
            holder = self.places.by_id[":".join(placed.path[:depth])].node
            assert isinstance(holder, SubgraphNode)
            found.append(holder.subgraph)
        return found

    def _path(self, placed: Placed) -> tuple[str, ...]:
        graphs = [Graph(), *self._around(placed)]
        return tuple(self._before(graph.id, own) for graph, own in zip(graphs, placed.path, strict=False))

    def _saved_id(self, placed: Placed) -> str:
        return self._before(placed.node.graph.id, placed.node.id)

    def _before(self, graph_id: str, node_id: str) -> str:
        return next((old for old, new in self.new_ids.get(graph_id, {}).items() if new == node_id), node_id)

    def _item(self, placed: Placed) -> SavedNode | None:
        """The node as saved; None for one that a group node was taken apart into."""
        graph_id = placed.node.graph.id
        found = self.saved if not graph_id else next(g for i, g in _definitions(self.saved) if i == graph_id)
        return next((node for node in found.nodes if node.id == placed.node.id), None)


def type_in(workflow: dict[str, Any], typed: Sequence[tuple[TypedPlace, Any]]) -> None:
    """Puts values into a saved workflow, in place."""
    filled: set[int] = set()
    for place, value in typed:
        graph = workflow
        for instance in place.path:
            kind = str(_by_id(graph, instance)["type"])
            graph = next(item for item in _saved_definitions(workflow) if item.get("id") == kind)
        node = _by_id(graph, place.node_id)
        if place.values is not None and id(node) not in filled:
            node["widgets_values"] = list(place.values)
            filled.add(id(node))
        held = value["__value__"] if isinstance(value, dict) and set(value) == {"__value__"} else value
        node["widgets_values"][place.key] = held
        if place.cut is not None:
            _cut(graph, node, place.cut)


def _cut(graph: dict[str, Any], node: dict[str, Any], name: str) -> None:
    slot = next(item for item in node["inputs"] if item.get("name") == name)
    link_id, slot["link"] = slot["link"], None
    links = graph.get("links")
    if isinstance(links, dict):
        graph["links"] = {key: link for key, link in links.items() if _link_id(link) != link_id}
    elif isinstance(links, list):
        graph["links"] = [link for link in links if _link_id(link) != link_id]
    ends = [end for end in graph.get("inputs") or [] if isinstance(end, dict)]
    outputs = [output for other in graph["nodes"] for output in other.get("outputs") or []]
    for holder, key in [*((end, "linkIds") for end in ends), *((output, "links") for output in outputs)]:
        if link_id in (holder.get(key) or []):
            holder[key] = [other for other in holder[key] if other != link_id]


def _link_id(link: Any) -> Any:
    if isinstance(link, dict):
        return link.get("id")
    return link[0] if isinstance(link, list) and link else None


def _by_id(graph: Mapping[str, Any], node_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(node for node in graph["nodes"] if str(node.get("id")) == node_id)
    return found


def _saved_definitions(graph: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in (graph.get("definitions") or {}).get("subgraphs") or []:
        yield item
        yield from _saved_definitions(item)


def _definitions(saved: SavedGraph) -> Iterator[tuple[str, SavedGraph]]:
    for subgraph in saved.subgraphs:
        yield subgraph.id, subgraph.graph
        yield from _definitions(subgraph.graph)


def _plain(value: Any) -> Any:
    return None if value is UNDEFINED else value

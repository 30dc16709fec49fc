"""A saved workflow with its shape checked: what is read from it further on is of the kind that it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from motionrag_nodes.batch_render.errors import ConversionError

MUTED, BYPASSED = 2, 4
# Ids of the two ends of a subgraph, on which its links start and end.
SUBGRAPH_INPUT, SUBGRAPH_OUTPUT = "-10", "-20"
_MAX_NESTING = 100


@dataclass
class SavedLink:
    """A connection. Ids of nodes are texts, as the editor compares them."""

    id: int
    origin_id: str
    origin_slot: int
    target_id: str
    target_slot: int
    type: Any


@dataclass
class SavedNode:
    """A node as saved. `inputs`, `outputs`: the slots' own fields; `values`: by position, by name, or none."""

    id: str
    type: str
    title: str
    mode: int
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    properties: dict[str, Any]
    values: list[Any] | dict[str, Any] | None
    numeric_id: bool  # saved as a number rather than as a text


@dataclass
class SavedGraph:
    """The nodes and links of a workflow or of a subgraph, and the subgraphs defined in it."""

    nodes: list[SavedNode]
    links: list[SavedLink]
    subgraphs: list[SavedSubgraph]
    last_node_id: int
    last_link_id: int
    extra: dict[str, Any]


@dataclass
class SavedSubgraph:
    """A subgraph's definition: a graph with named ends."""

    id: str
    name: str
    graph: SavedGraph
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)


def read_graph(data: Mapping[str, Any], where: str = "The workflow", nesting: int = 0) -> SavedGraph:
    """Checks and sorts out what as_js() gave.

    Raises ConversionError: says which part is not what a saved workflow has there.
    """
    if nesting > _MAX_NESTING:
        raise ConversionError(
            f"{where}: Expected at most {_MAX_NESTING} subgraphs inside each other, received more: {HOW_TO_GO_ON}"
        )
    nodes = [_node(item, f"{where}, node {number}") for number, item in enumerate(_list(data, "nodes", where), start=1)]
    links = [link for item in _links(data, where) if (link := _link(item, where)) is not None]
    state = _dict(data, "state", where)
    definitions = _list(_dict(data, "definitions", where), "subgraphs", where)
    subgraphs = [_subgraph(item, where, nesting + 1) for item in definitions]
    return SavedGraph(
        nodes=nodes,
        links=links,
        subgraphs=subgraphs,
        last_node_id=_count(data.get("last_node_id"), state.get("lastNodeId")),
        last_link_id=max([_count(data.get("last_link_id"), state.get("lastLinkId")), *(link.id for link in links)]),
        extra=_dict(data, "extra", where),
    )


HOW_TO_GO_ON = 'open it in ComfyUI and save it again, or use "Export (API)" there.'


def _subgraph(item: Any, where: str, nesting: int) -> SavedSubgraph:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
        raise ConversionError(f"{where}: Expected an id of each subgraph, received one without: {HOW_TO_GO_ON}")
    name = item["name"] if isinstance(item.get("name"), str) else item["id"]
    place = f"Subgraph {name!r}"
    return SavedSubgraph(
        id=item["id"],
        name=name,
        graph=read_graph(item, place, nesting),
        inputs=_slots(item, "inputs", place),
        outputs=_slots(item, "outputs", place),
    )


def _node(item: Any, where: str) -> SavedNode:
    if not isinstance(item, dict):
        raise ConversionError(f"{where}: Expected an object, received {_kind(item)}: {HOW_TO_GO_ON}")
    node_id, kind, mode = item.get("id"), item.get("type"), item.get("mode")
    if not _is_id(node_id):
        raise ConversionError(f"{where}: Expected an id (a number or a text), received {node_id!r:.60}: {HOW_TO_GO_ON}")
    if not isinstance(kind, str) or not kind:
        raise ConversionError(f"{where} (id {node_id}): Expected a type, received {kind!r:.60}: {HOW_TO_GO_ON}")
    place = f"Node {node_id} ({kind})"
    values = item.get("widgets_values")
    if not isinstance(values, list | dict | None):
        raise ConversionError(f"{place}: Expected its values in a list, received {_kind(values)}: {HOW_TO_GO_ON}")
    return SavedNode(
        id=str(node_id),
        type=kind,
        title=item["title"] if isinstance(item.get("title"), str) else "",
        mode=mode if isinstance(mode, int) and not isinstance(mode, bool) else 0,
        inputs=_slots(item, "inputs", place),
        outputs=_slots(item, "outputs", place),
        properties=_dict(item, "properties", place),
        values=values,
        numeric_id=not isinstance(node_id, str),
    )


def _slots(item: dict[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    slots = _list(item, name, where)
    for slot in slots:
        if not isinstance(slot, dict):
            raise ConversionError(f"{where}: Expected objects in its {name}, received {_kind(slot)}: {HOW_TO_GO_ON}")
        ids = [slot.get("link"), *_list(slot, "links", where), *_list(slot, "linkIds", where)]
        if any(link is not None and not _is_number(link) for link in ids):
            raise ConversionError(
                f"{where}: Expected numbers of links in its {name} {slot.get('name')!r:.60}, received others: "
                f"{HOW_TO_GO_ON}"
            )
        if not isinstance(slot.get("widget"), dict | None):
            raise ConversionError(
                f"{where}: Expected an object as widget of input {slot.get('name')!r:.60}, received another value: "
                f"{HOW_TO_GO_ON}"
            )
    return [{**slot, "name": slot["name"] if isinstance(slot.get("name"), str) else ""} for slot in slots]


def _links(data: Mapping[str, Any], where: str) -> list[Any]:
    links = data.get("links")
    # Very old files hold them by id.
    return list(links.values()) if isinstance(links, dict) else _list(data, "links", where)


def _link(item: Any, where: str) -> SavedLink | None:
    if item is None:
        return None
    if isinstance(item, dict):
        names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        fields = [item.get(name) for name in names]
    elif isinstance(item, list) and len(item) >= 5:
        fields = [*item[:5], item[5] if len(item) > 5 else None]
    else:
        raise ConversionError(
            f"{where}: Expected each link as [id, from, slot, to, slot, type], received {item!r:.60}: {HOW_TO_GO_ON}"
        )
    link_id, origin, from_slot, target, to_slot, kind = fields
    origin_slot, target_slot = _slot_number(from_slot), _slot_number(to_slot)
    if not (_is_number(link_id) and _is_id(origin) and _is_id(target)) or origin_slot is None or target_slot is None:
        raise ConversionError(
            f"{where}: Expected links that say what they connect, received {item!r:.60}: {HOW_TO_GO_ON}"
        )
    return SavedLink(int(link_id), str(origin), origin_slot, str(target), target_slot, kind)


def _slot_number(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    return value if _is_number(value) else None


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_id(value: Any) -> bool:
    return (isinstance(value, str) and value != "") or _is_number(value)


def _count(*candidates: Any) -> int:
    return max((int(value) for value in candidates if _is_number(value)), default=0)


def _list(data: Mapping[str, Any], name: str, where: str) -> list[Any]:
    value = data.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ConversionError(f"{where}: Expected a list as {name}, received {_kind(value)}: {HOW_TO_GO_ON}")
    return value


def _dict(data: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    value = data.get(name)
    if value is None or value == []:
        return {}
    if not isinstance(value, dict):
        raise ConversionError(f"{where}: Expected an object as {name}, received {_kind(value)}: {HOW_TO_GO_ON}")
    return value


def _kind(value: Any) -> str:
    words = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return words.get(type(value), "a number")

"""Group nodes, which subgraphs have replaced: the class that the editor makes of a group saved in a workflow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from motionrag_nodes.batch_render.conversion.js_values import property_order
from motionrag_nodes.batch_render.conversion.node_definitions import (
    InputDeclaration,
    NodeDefinition,
    NodeDefinitions,
    OutputDeclaration,
)
from motionrag_nodes.batch_render.conversion.saved_graph import SavedNode, read_graph
from motionrag_nodes.batch_render.conversion.widgets import is_widget_type
from motionrag_nodes.batch_render.errors import ConversionError

PREFIXES = ("workflow>", "workflow/")
_SEEDS = ("seed", "noise_seed")


@dataclass(frozen=True)
class GroupLink:
    """A connection inside a group, by the places of the nodes in it; `type`: of what is connected."""

    origin: int
    origin_slot: int
    target: int
    target_slot: int
    type: Any


@dataclass
class GroupType:
    """A group's class, and where its inputs, widgets and outputs belong inside.

    `inputs`: node -> input -> slot of the class; `widgets`: node -> input -> widget of the class; `outputs`: slot of
    the class -> (node, slot).
    """

    name: str
    nodes: list[SavedNode]
    links: list[GroupLink]
    outside: dict[tuple[int, int], Any]  # outputs that are also connected to what is outside
    config: dict[str, Any]
    declared: dict[str, InputDeclaration] = field(default_factory=dict)
    given: list[OutputDeclaration] = field(default_factory=list)
    inputs: dict[int, dict[str, int]] = field(default_factory=dict)
    widgets: dict[int, dict[str, str | None]] = field(default_factory=dict)
    outputs: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def definition(self) -> NodeDefinition:
        """The group as a class of nodes."""
        inputs = tuple(self.declared[name] for name in property_order(self.declared))
        return NodeDefinition(self.name, self.name, inputs, inputs, tuple(self.given))


def read_group(name: str, data: Any, definitions: NodeDefinitions) -> GroupType:
    """The class of a group as saved in a workflow's `extra.groupNodes`.

    Raises ConversionError: it is broken.
    """
    if not isinstance(data, dict):
        raise ConversionError(
            f"Expected the group node {name!r} as an object, received another value: convert it to a subgraph in "
            "ComfyUI."
        )
    listed = data.get("nodes")
    listed = listed if isinstance(listed, list) else []
    numbered = [{**item, "id": index} if isinstance(item, dict) else item for index, item in enumerate(listed)]
    group = GroupType(
        name=name,
        nodes=read_graph({"nodes": numbered}, f"Group node {name!r}").nodes,
        links=_links(data.get("links")),
        outside=_outside(data.get("external")),
        config=data["config"] if isinstance(data.get("config"), dict) else {},
    )
    _Builder(group, definitions).build()
    return group


def _links(listed: Any) -> list[GroupLink]:
    links = []
    for item in listed if isinstance(listed, list) else []:
        numbers = item[:4] if isinstance(item, list) else []
        if len(numbers) == 4 and all(isinstance(number, int) for number in numbers):
            origin, origin_slot, target, target_slot = numbers
            links.append(GroupLink(origin, origin_slot, target, target_slot, item[5] if len(item) > 5 else None))
    return links


def _outside(listed: Any) -> dict[tuple[int, int], Any]:
    found = {}
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, list) and len(item) >= 3 and isinstance(item[0], int) and isinstance(item[1], int):
            found[item[0], item[1]] = item[2]
    return found


@dataclass
class _Builder:
    group: GroupType
    definitions: NodeDefinitions
    slots: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def build(self) -> None:
        converted = []
        for index, node in enumerate(self.group.nodes):
            definition = self._definition(index, node)
            if definition is None:
                continue
            converted.append((index, node, *self._inputs(index, node, definition)))
            self._outputs(index, definition)
        # Widgets that had been made into inputs come behind everything else.
        for index, node, sockets, inputs in converted:
            self._converted(index, node, sockets, inputs)

    def _definition(self, index: int, node: SavedNode) -> NodeDefinition | None:
        if node.type == "PrimitiveNode":
            first = next((link for link in self.group.links if (link.origin, link.origin_slot) == (index, 0)), None)
            return _one_input("value", first.type, {}) if first is not None else None
        if node.type == "Reroute":
            into = any(link.target == index for link in self.group.links)
            out_of = any(link.origin == index for link in self.group.links)
            if into and out_of and (index, 0) not in self.group.outside:
                return None
            kind = self._passed(index)
            return _one_input(str(kind), kind, {"forceInput": True})
        return self.definitions.get(node.type)

    def _passed(self, index: int) -> Any:
        """The type that a reroute passes on."""
        for link in self.group.links:
            if link.origin == index and link.target < len(self.group.nodes):
                inputs = self.group.nodes[link.target].inputs
                if link.target_slot < len(inputs):
                    return inputs[link.target_slot].get("type") or "*"
        for link in self.group.links:
            if link.target == index and link.origin < len(self.group.nodes):
                outputs = self.group.nodes[link.origin].outputs
                if link.origin_slot < len(outputs):
                    return outputs[link.origin_slot].get("type") or "*"
        return self.group.outside.get((index, 0), "*")

    def _inputs(
        self, index: int, node: SavedNode, definition: NodeDefinition
    ) -> tuple[list[str], dict[int, InputDeclaration]]:
        """Adds widgets and sockets of a node; returns its sockets, and the widgets that were made into inputs."""
        widgets = self.group.widgets.setdefault(index, {})
        converted: dict[int, InputDeclaration] = {}
        sockets: list[InputDeclaration] = []
        for declared in definition.inputs:
            if declared.old_list or not is_widget_type(declared.type):
                sockets.append(declared)
                continue
            place = next(
                (
                    number
                    for number, slot in enumerate(node.inputs)
                    if slot["name"] == declared.name and (slot.get("widget") or {}).get("name") == declared.name
                ),
                None,
            )
            if place is not None:
                converted[place] = declared
                widgets[declared.name] = None
            else:
                widgets[declared.name] = self._declare(index, node, declared).name
        places = self.group.inputs.setdefault(index, {})
        for number, declared in enumerate(sockets):
            if any((link.target, link.target_slot) == (index, number) for link in self.group.links):
                continue
            named = self._named(index, node, declared)
            if self._configured(index, "input", declared.name).get("visible") is False:
                continue
            self.group.declared[named.name] = named
            places[declared.name] = self.slots
            self.slots += 1
        return [declared.name for declared in sockets], converted

    def _converted(
        self, index: int, node: SavedNode, sockets: list[str], converted: dict[int, InputDeclaration]
    ) -> None:
        for number, place in enumerate(sorted(converted, key=str)):
            target_slot = len(sockets) + number
            if any((link.target, link.target_slot) == (index, target_slot) for link in self.group.links):
                continue
            declared = converted[place]
            self.group.widgets[index][declared.name] = self._declare(index, node, declared).name
            self.group.inputs[index][declared.name] = self.slots
            self.slots += 1

    def _declare(self, index: int, node: SavedNode, declared: InputDeclaration) -> InputDeclaration:
        named = self._named(index, node, declared)
        self.group.declared[named.name] = named
        return named

    def _named(self, index: int, node: SavedNode, declared: InputDeclaration) -> InputDeclaration:
        """The input under a name that occurs once in the group."""
        own = declared.name
        label = next((slot.get("label") for slot in node.inputs if slot["name"] == own), None)
        given = self._configured(index, "input", own).get("name")
        name = given if isinstance(given, str) else label if isinstance(label, str) else own
        key, prefix = name, ""
        if (node.type == "PrimitiveNode" and node.title) or name in self.seen:
            prefix = f"{node.title or node.type} "
            key = name = f"{prefix}{own}"
            if name in self.seen:
                name = f"{prefix}{self.seen[name]} {own}"
        self.seen[key] = self.seen.get(key, 1) + 1
        options = {key: value for key, value in declared.options.items() if key != "name"}
        if own in _SEEDS:
            options["control_after_generate"] = f"{prefix}control_after_generate"
        return replace(declared, name=name, optional=False, options=options)

    def _outputs(self, index: int, definition: NodeDefinition) -> None:
        for slot, output in enumerate(definition.outputs):
            inside = any((link.origin, link.origin_slot) == (index, slot) for link in self.group.links)
            shown = self._configured(index, "output", str(slot)).get("visible")
            if shown is None:
                shown = not inside or (index, slot) in self.group.outside
            if shown:
                self.group.outputs[len(self.group.given)] = (index, slot)
                self.group.given.append(output)

    def _configured(self, index: int, section: str, name: str) -> dict[str, Any]:
        value: Any = self.group.config
        for key in (str(index), section, name):
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else {}


def _one_input(name: str, kind: Any, options: dict[str, Any]) -> NodeDefinition:
    declared = InputDeclaration(name, str(kind), options=options)
    return NodeDefinition("", "", (declared,), (declared,), (OutputDeclaration(str(kind), kind),))

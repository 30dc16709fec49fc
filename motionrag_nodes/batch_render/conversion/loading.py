"""Loads a saved workflow as the editor does: classes, subgraphs, nodes, and what settles once all are there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from motionrag_nodes.batch_render.conversion.class_nodes import ClassNode
from motionrag_nodes.batch_render.conversion.editor_only_nodes import (
    PrimitiveNode,
    RerouteNode,
    make_editor_only_node,
)
from motionrag_nodes.batch_render.conversion.graphs import Graph, GraphEnd, all_nodes
from motionrag_nodes.batch_render.conversion.group_nodes import GroupNode, group_types, take_apart
from motionrag_nodes.batch_render.conversion.group_types import GroupType
from motionrag_nodes.batch_render.conversion.node_definitions import NodeDefinitions
from motionrag_nodes.batch_render.conversion.nodes import ANY, Node
from motionrag_nodes.batch_render.conversion.promoted_widgets import PROPERTY, show_listed_widgets
from motionrag_nodes.batch_render.conversion.saved_graph import SavedGraph, SavedNode, SavedSubgraph
from motionrag_nodes.batch_render.conversion.subgraph_nodes import SubgraphNode
from motionrag_nodes.batch_render.conversion.unique_ids import make_ids_unique
from motionrag_nodes.batch_render.errors import ConversionError

# Classes that go by another name now. Their inputs are the same.
_RENAMED = {
    "T2IAdapterLoader": "ControlNetLoader",
    "ConditioningAverage ": "ConditioningAverage",
    "SDV_img2vid_Conditioning": "SVD_img2vid_Conditioning",
    "Load3DAnimation": "Load3D",
    "Preview3DAnimation": "Preview3D",
}
_SAMPLERS = frozenset({"KSampler", "KSamplerAdvanced"})
_OLD_SAMPLER_PREFIX = "sample_"


@dataclass
class Loader:
    """Builds graphs of the classes in `definitions`. `subgraphs`: those built so far, by id."""

    definitions: NodeDefinitions
    subgraphs: dict[str, Graph] = field(default_factory=dict)
    groups: dict[str, GroupType] = field(default_factory=dict)
    new_ids: dict[str, dict[str, str]] = field(default_factory=dict)  # see make_ids_unique()

    def load(self, saved: SavedGraph) -> Graph:
        """The workflow with all of its subgraphs.

        Raises ConversionError: a node is declared or saved in a way that leaves open what the editor would send.
        """
        root = Graph()
        self.new_ids = make_ids_unique(saved)
        self.groups = group_types(saved, self.definitions)
        self._fill(root, saved)
        _complete_outputs(root)
        self._settle(root, _last_id(saved))
        return root

    def _fill(self, graph: Graph, saved: SavedGraph) -> None:
        graph.links = {link.id: link for link in saved.links}
        graph.last_link_id = saved.last_link_id
        for definition in saved.subgraphs:
            self.subgraphs[definition.id] = _ends(definition)
        for definition in _innermost_first(saved.subgraphs):
            subgraph = self.subgraphs[definition.id]
            self._fill(subgraph, definition.graph)
            subgraph.repair_ends()
        for item in saved.nodes:
            if graph.node(item.id) is not None:
                raise ConversionError(
                    f"Expected one node with the id {item.id}, found two, so that links to it are ambiguous. Open the "
                    'workflow in ComfyUI and save it again, or use "Export (API)" there.'
                )
            graph.add(self._make(item, graph))
        for item in saved.nodes:
            self._configure(graph.node(item.id), item)
        for item in saved.nodes:
            node = graph.node(item.id)
            if isinstance(node, SubgraphNode) and PROPERTY in node.properties:
                show_listed_widgets(node, item)

    def _make(self, item: SavedNode, graph: Graph) -> Node:
        kind = item.type if item.type in self.definitions else _RENAMED.get(item.type, item.type)
        if kind in self.subgraphs:
            subgraph = self.subgraphs[kind]
            node = SubgraphNode(
                id=item.id, type=kind, graph=graph, class_title=subgraph.name, virtual=True, subgraph=subgraph
            )
            subgraph.instances.append(node)
            return node
        editor_only = make_editor_only_node(item.id, kind, graph, server_has_class=kind in self.definitions)
        if editor_only is not None:
            return editor_only
        if kind in self.groups and not graph.id:
            group = GroupNode(id=item.id, type=kind, graph=graph, virtual=True)
            group.group = self.groups[kind]
            group.build(group.group.definition)
            return group
        definition = self.definitions.get(kind)
        if definition is None:
            return Node(id=item.id, type=kind, graph=graph)
        made = ClassNode(id=item.id, type=kind, graph=graph, mode=item.mode)
        try:
            made.build(definition)
        except ConversionError as error:
            if item.mode == 0:
                raise ConversionError(f"Node {item.id} ({kind}): {error}") from None
            return Node(id=item.id, type=kind, graph=graph, class_type=kind, class_title=definition.title)
        return made

    def _configure(self, node: Node | None, item: SavedNode) -> None:
        assert node is not None
        node.configure(item)

    def _settle(self, root: Graph, last_id: int) -> None:
        for graph in [*self.subgraphs.values(), root]:
            graph.number_link_ends()
        for node in all_nodes(root):
            if isinstance(node, ClassNode):
                _drop_slots_without_widget(node)
        take_apart(root, self._make, last_id)
        nodes = list({id(node): node for node in all_nodes(root)}.values())
        for node in nodes:
            if isinstance(node, PrimitiveNode):
                node.make_widget()
        for node in nodes:
            _mend_values(node)
        matching = [node for node in nodes if isinstance(node, ClassNode) and node.matching]
        _match_types(matching)
        for node in nodes:
            if isinstance(node, RerouteNode):
                node.settle()
        _match_types(matching)


def _last_id(saved: SavedGraph) -> int:
    return max([saved.last_node_id, *(int(node.id) for node in saved.nodes if node.numeric_id)])


def _complete_outputs(graph: Graph) -> None:
    """An output holds each link that starts there, also where the file says so at the link's other end only."""
    for link in reversed(list(graph.links.values())):
        origin, target = graph.node(link.origin_id), graph.node(link.target_id)
        if origin is None or target is None or not any(slot.link == link.id for slot in target.inputs):
            continue
        if 0 <= link.origin_slot < len(origin.outputs) and link.id not in origin.outputs[link.origin_slot].links:
            origin.outputs[link.origin_slot].links.append(link.id)


def _ends(definition: SavedSubgraph) -> Graph:
    def end(slot: dict[str, Any]) -> GraphEnd:
        label = slot.get("label")
        links = list(slot.get("linkIds") or [])
        return GraphEnd(slot["name"], slot.get("type"), links, label if isinstance(label, str) else None)

    return Graph(
        id=definition.id,
        name=definition.name,
        inputs=[end(slot) for slot in definition.inputs],
        outputs=[end(slot) for slot in definition.outputs],
    )


def _innermost_first(subgraphs: list[SavedSubgraph]) -> list[SavedSubgraph]:
    """Subgraphs before those that use them. Raises ConversionError: one of them holds itself."""
    by_id = {subgraph.id: subgraph for subgraph in subgraphs}
    used = {
        subgraph.id: {node.type for node in subgraph.graph.nodes if node.type in by_id} for subgraph in by_id.values()
    }
    ready = deque(subgraph_id for subgraph_id, inner in used.items() if not inner)
    done: list[str] = []
    while ready:
        subgraph_id = ready.popleft()
        done.append(subgraph_id)
        for other, inner in used.items():
            if subgraph_id in inner:
                inner.discard(subgraph_id)
                if not inner:
                    ready.append(other)
    if len(done) < len(by_id):
        name = next(by_id[subgraph_id].name for subgraph_id in by_id if subgraph_id not in done)
        raise ConversionError(
            f"Expected subgraphs that do not contain themselves, but {name!r} does: take one out of the other in "
            "ComfyUI and save again."
        )
    return [by_id[subgraph_id] for subgraph_id in done]


def _drop_slots_without_widget(node: ClassNode) -> None:
    """Takes away inputs that feed a widget which the class no longer has."""
    index = 0
    while index < len(node.inputs):
        slot = node.inputs[index]
        if slot.widget is not None and node.widget(slot.widget) is None:
            node.disconnect(slot)
            node.inputs.pop(index)  # the editor then passes over the slot that moves up
            for other_index, other in enumerate(node.inputs):
                if other.link and other.link in node.graph.links:
                    node.graph.links[other.link].target_slot = other_index
        index += 1


def _mend_values(node: Node) -> None:
    """What the editor puts right in old files: lists without a value, and the former names of samplers."""
    for widget in node.widgets:
        if node.type in _SAMPLERS and widget.name == "sampler_name" and isinstance(widget.value, str):
            if widget.value.startswith(_OLD_SAMPLER_PREFIX):
                widget.set(widget.value[len(_OLD_SAMPLER_PREFIX) :])
        if widget.kind == "choice" and widget.sent and not widget.value and widget.choices:
            if widget.value is None or not isinstance(widget.value, str | int | float):
                widget.set(widget.choices[0])


def _match_types(nodes: list[ClassNode]) -> None:
    """Inputs that must be of one type, and the outputs that follow them, take the type that is connected."""
    for _ in range(len(nodes) + 1):
        changed = False
        for node in nodes:
            for group, allowed in node.matching.items():
                slots = [slot for slot in node.inputs if slot.name in allowed]
                kinds = []
                for slot in slots:
                    link = node.graph.links.get(slot.link) if slot.link is not None else None
                    kinds.append((node.graph.origin_type(link) if link is not None else None) or ANY)
                for index, slot in enumerate(slots):
                    slot.type = _common([*kinds[:index], *kinds[index + 1 :], allowed[slot.name]]) or slot.type
                common = _common(kinds)
                assert node.definition is not None
                for output, declared in zip(node.outputs, node.definition.outputs, strict=False):
                    if declared.match_group == group and common and output.type != common:
                        output.type, changed = common, True
        if not changed:
            return


def _common(kinds: list[Any]) -> str | None:
    """The types that all of several lists of types allow, or None where there is none."""
    lists = [str(kind).split(",") for kind in kinds if kind != ANY]
    if not lists:
        return ANY
    return ",".join(kind for kind in lists[0] if all(kind in other for other in lists[1:])) or None

"""Makes the prompt that ComfyUI's editor would send for a saved workflow.

The editor loads the workflow into nodes of the server's classes and reads the prompt from them. This does the same:
`loading` builds the nodes, `resolution` follows their connections, and here the prompt is put together. What a file
does not decide is refused, by the node's name; nothing is guessed from which value would fit where.

Behaviour of the editor: https://github.com/Comfy-Org/ComfyUI_frontend (release 1.49).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from motionrag_nodes.batch_render.conversion.class_nodes import NAMES_FILES
from motionrag_nodes.batch_render.conversion.editor_only_nodes import PrimitiveNode
from motionrag_nodes.batch_render.conversion.graphs import Graph
from motionrag_nodes.batch_render.conversion.js_values import UNDEFINED, as_js, property_order
from motionrag_nodes.batch_render.conversion.loading import Loader
from motionrag_nodes.batch_render.conversion.node_definitions import NodeDefinitions
from motionrag_nodes.batch_render.conversion.nodes import Node
from motionrag_nodes.batch_render.conversion.resolution import InstanceValue, Placed, Places
from motionrag_nodes.batch_render.conversion.saved_graph import read_graph
from motionrag_nodes.batch_render.conversion.text_replacement import choose_alternatives, fill_in, settles
from motionrag_nodes.batch_render.conversion.typed_values import SavedPlaces, TypedPlace
from motionrag_nodes.batch_render.conversion.widgets import Widget
from motionrag_nodes.batch_render.errors import ConversionError

Prompt = dict[str, dict[str, Any]]  # node id -> {"class_type", "inputs", "_meta": {"title"}}


def convert_workflow(
    graph: Mapping[str, Any],
    object_info: Mapping[str, Any],
    *,
    now: datetime | None = None,
    chance: random.Random | None = None,
) -> Prompt:
    """The prompt for a saved workflow (the editor's own form) on the server that `object_info` describes.

    `now`: the time that stands for %date:...% (default: the present); `chance`: decides between alternatives such as
    {a|b} (default: the same for each call, so that a workflow converts to the same prompt again).

    Raises ConversionError: the workflow is broken, needs classes that the server lacks, or leaves open what the
    editor would send.
    """
    try:
        return LoadedWorkflow(graph, object_info).prompt(now or datetime.now(), chance or random.Random(0))
    except RecursionError:
        raise ConversionError(
            'Expected a workflow that can be read, but it is nested too deeply: open it in ComfyUI and use "Export '
            '(API)" there.'
        ) from None


class LoadedWorkflow:
    """A saved workflow as it stands in the editor. Raises as convert_workflow() does."""

    def __init__(self, graph: Mapping[str, Any], object_info: Mapping[str, Any]) -> None:
        self._saved = read_graph(as_js(graph))
        loader = Loader(NodeDefinitions(object_info))
        self._root = loader.load(self._saved)
        self._new_ids = loader.new_ids
        self._places = Places.of(self._root)

    def prompt(self, now: datetime, chance: random.Random) -> Prompt:
        """What the editor would send. Ask once: primitives hand on their values."""
        places, root = self._places, self._root
        for placed in places.by_id.values():
            if isinstance(placed.node, PrimitiveNode):
                placed.node.apply(root, now)
        sent = [placed for placed in places.by_id.values() if placed.node.active and not placed.node.virtual]
        _refuse_missing(sent)
        prompt: Prompt = {}
        for placed in sent:
            node = placed.node
            inputs = _widget_values(node, root, now, chance)
            inputs.update(_connections(placed, places))
            prompt[placed.id] = {"inputs": inputs, "class_type": node.class_type, "_meta": {"title": node.title}}
        for entry in prompt.values():
            for name, value in list(entry["inputs"].items()):
                if isinstance(value, list) and value[0] not in prompt:
                    del entry["inputs"][name]
        return {node_id: prompt[node_id] for node_id in property_order(prompt)}

    def place(self, node_id: str, input_name: str) -> TypedPlace | None:
        """Where the file holds the value of a prompt's input: see SavedPlaces.find()."""
        return SavedPlaces(self._places, self._saved, self._new_ids).find(node_id, input_name)

    @property
    def settles_texts(self) -> bool:
        """Whether texts of it are filled in or chosen from when the prompt is made, by time, chance or other values."""
        return any(
            isinstance(widget.value, str) and settles(widget.value)
            for placed in self._places.by_id.values()
            for widget in placed.node.widgets
        )


def _widget_values(node: Node, root: Graph, now: datetime, chance: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for widget in node.widgets:
        if not widget.sent or not widget.name:
            continue
        value = _sent_value(node, widget, root, now, chance)
        if value is not UNDEFINED:
            values[widget.name] = _as_value(value)
    return values


def _sent_value(node: Node, widget: Widget, root: Graph, now: datetime, chance: random.Random) -> Any:
    value = widget.computed() if widget.computed is not None else widget.value
    if node.class_type in NAMES_FILES and widget is node.widget("filename_prefix"):
        if not isinstance(value, str):
            raise ConversionError(
                f"{node.named}: Expected a text as filename_prefix, received {value!r:.60}: enter one in ComfyUI."
            )
        return fill_in(value, root, now)
    return choose_alternatives(value, chance) if widget.alternatives and isinstance(value, str) else value


def _connections(placed: Placed, places: Places) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, slot in enumerate(placed.node.inputs):
        source = places.source(placed, index)
        if isinstance(source, InstanceValue):
            if source.value is not UNDEFINED:
                found[slot.name] = _as_value(source.value)
        elif source is not None:
            found[slot.name] = [source.node_id, source.slot]
    return found


def _as_value(value: Any) -> Any:
    # A plain list means a connection to the server.
    return {"__value__": value} if isinstance(value, list) else value


def _refuse_missing(sent: list[Placed]) -> None:
    missing: dict[str, str | None] = {}
    for placed in sent:
        if placed.node.class_type is None:
            pack = placed.node.properties.get("cnr_id") or placed.node.properties.get("aux_id")
            missing.setdefault(placed.node.type, pack if isinstance(pack, str) else None)
    if missing:
        listed = ", ".join(f"{name} (of {pack})" if pack else name for name, pack in sorted(missing.items()))
        raise ConversionError(
            f"Expected a workflow of nodes that this ComfyUI has, but it lacks {listed}. Install the custom nodes that "
            "bring them and restart it; if a MotionRAG node is among them, see ComfyUI's log for why it did not load. "
            'Nodes that only the editor knows are left out by "Export (API)" there.'
        )

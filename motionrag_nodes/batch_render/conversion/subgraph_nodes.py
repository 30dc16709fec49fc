"""Instances of subgraphs: their slots, and the widgets that stand for ones inside.

The widget that an input of a subgraph is linked to inside is shown on the instance and holds a value of the
instance's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from motionrag_nodes.batch_render.conversion.graphs import Graph, GraphEnd
from motionrag_nodes.batch_render.conversion.nodes import InputSlot, Node, OutputSlot, saved_input, saved_output
from motionrag_nodes.batch_render.conversion.saved_graph import SavedNode
from motionrag_nodes.batch_render.conversion.widgets import Widget


@dataclass(eq=False)
class SubgraphNode(Node):
    """A node that stands for a subgraph. Its inputs are the subgraph's, in the subgraph's order."""

    subgraph: Graph = field(default_factory=Graph)

    def configure(self, saved: SavedNode) -> None:
        super().configure(saved)
        self._take_shown_values(saved.values)

    def add_input(self, end: GraphEnd) -> InputSlot:
        """Follows the subgraph, which has got an input."""
        slot = InputSlot(end.name, end.type, label=end.label)
        self.inputs.append(slot)
        return slot

    def show_widget(self, end: GraphEnd, slot: InputSlot) -> None:
        """Shows the first widget inside that an input leads to, if there is one."""
        for link_id in end.links:
            link = self.subgraph.links.get(link_id)
            found = self.subgraph.target(link) if link is not None else None
            if found is None:
                continue
            widget = found[0].widget_of(found[1]) or _deeper_widget(*found)
            if widget is not None:
                if slot.shown in self.widgets:
                    self.widgets.remove(slot.shown)
                slot.widget = end.name
                slot.shown = replace(widget, name=end.name, on_set=None)
                slot.declared = found[1].declared
                self._order_widgets()
                return

    def _take_slots(self, saved: SavedNode) -> None:
        by_name = {slot["name"]: slot for slot in saved.inputs}
        self.inputs, self.widgets = [], []
        for end in self.subgraph.inputs:
            slot = self.add_input(end)
            if end.name in by_name:
                found = saved_input(by_name[end.name])
                slot.link, slot.widget = found.link, found.widget
                slot.label = found.label or slot.label
        self.outputs = [OutputSlot(end.name, end.type) for end in self.subgraph.outputs]
        for output, item in zip(self.outputs, saved.outputs, strict=False):
            output.links = saved_output(item).links
        for end, slot in zip(self.subgraph.inputs, self.inputs, strict=True):
            self.show_widget(end, slot)

    def _order_widgets(self) -> None:
        self.widgets = [slot.shown for slot in self.inputs if slot.shown is not None]

    def _take_shown_values(self, values: list[Any] | dict[str, Any] | None) -> None:
        """Saved values belong to the inputs that show a widget, one each."""
        set_aside = self._values_set_aside()
        shown = [(slot.name, slot.shown) for slot in self.inputs if slot.shown is not None]
        for index, (name, widget) in enumerate(shown):
            if name in set_aside:
                widget.value = set_aside[name]
            elif isinstance(values, list) and index < len(values):
                widget.value = values[index]

    def _values_set_aside(self) -> dict[str, Any]:
        """Values that an editor could not place when it turned an older file into a newer one."""
        entries = self.properties.get("proxyWidgetErrorQuarantine")
        found: dict[str, Any] = {}
        for entry in reversed(entries) if isinstance(entries, list) else []:
            original = entry.get("originalEntry") if isinstance(entry, dict) else None
            if isinstance(original, list) and len(original) > 1 and original[0] == "-1":
                if entry.get("hostValue") is not None:
                    found[str(original[1])] = entry["hostValue"]
        return found


def _deeper_widget(node: Node, slot: InputSlot) -> Widget | None:
    """The widget that an input of an instance leads to, through any number of instances."""
    for _ in range(100):
        if not isinstance(node, SubgraphNode):
            return node.widget_of(slot)
        end = next((end for end in node.subgraph.inputs if end.name == slot.name), None)
        found = None
        for link_id in end.links if end is not None else []:
            link = node.subgraph.links.get(link_id)
            found = node.subgraph.target(link) if link is not None else None
            if found is not None:
                break
        if found is None:
            return None
        node, slot = found
    return None

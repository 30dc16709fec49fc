"""A node as the editor holds it: built from its class, then filled with what was saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motionrag_nodes.batch_render.conversion.saved_graph import BYPASSED, MUTED, SavedNode
from motionrag_nodes.batch_render.conversion.widgets import Widget

if TYPE_CHECKING:
    from motionrag_nodes.batch_render.conversion.graphs import Graph
    from motionrag_nodes.batch_render.conversion.node_definitions import InputDeclaration

ANY = "*"


@dataclass(eq=False)
class InputSlot:
    """An input. `widget`: name of the widget that it feeds instead.

    `declared`: what the widget was made from, where the class itself declares it and no choice or growth brought it.
    """

    name: str
    type: Any
    link: int | None = None
    widget: str | None = None
    declared: InputDeclaration | None = None
    label: str | None = None
    shown: Widget | None = None  # of a subgraph's instance: the widget that stands for one inside
    listed: int | None = None  # place of its value where an older instance lists what it shows


@dataclass(eq=False)
class OutputSlot:
    """An output and the links that start there."""

    name: str
    type: Any
    links: list[int] = field(default_factory=list)


@dataclass(eq=False)
class Node:
    """A node of a graph. `class_type`: what the server runs; None where it knows no such class.

    `virtual`: it exists in the editor only and never reaches the server.
    """

    id: str
    type: str
    graph: Graph
    title: str = ""
    class_title: str = ""
    class_type: str | None = None
    virtual: bool = False
    mode: int = 0
    inputs: list[InputSlot] = field(default_factory=list)
    outputs: list[OutputSlot] = field(default_factory=list)
    widgets: list[Widget] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether it is neither muted nor bypassed."""
        return self.mode not in (MUTED, BYPASSED)

    @property
    def described(self) -> str:
        """For messages: id and class."""
        return f"node {self.id} ({self.title or self.type})"

    @property
    def named(self) -> str:
        """The same at the start of a sentence."""
        return f"N{self.described[1:]}"

    def widget(self, name: str | None) -> Widget | None:
        """The widget of that name, None where there is none."""
        return next((widget for widget in self.widgets if widget.name == name), None)

    def widget_of(self, slot: InputSlot) -> Widget | None:
        """The widget that a slot feeds."""
        return slot.shown or (self.widget(slot.widget) if slot.widget is not None else None)

    def slot_of(self, widget: Widget) -> InputSlot | None:
        """The slot that feeds a widget."""
        return next(
            (slot for slot in self.inputs if slot.shown is widget or (slot.widget and slot.widget == widget.name)), None
        )

    def input(self, name: str) -> InputSlot | None:
        """The input of that name, None where there is none."""
        return next((slot for slot in self.inputs if slot.name == name), None)

    def disconnect(self, slot: InputSlot) -> None:
        """Takes the link away from a slot, and from where it starts."""
        if slot.link is None:
            return
        link = self.graph.links.get(slot.link)
        origin = self.graph.node(link.origin_id) if link is not None else None
        if link is not None and origin is not None and 0 <= link.origin_slot < len(origin.outputs):
            links = origin.outputs[link.origin_slot].links
            if slot.link in links:
                links.remove(slot.link)
        slot.link = None

    def configure(self, saved: SavedNode) -> None:
        """Takes over what was saved: mode, title, properties, slots and values."""
        self.mode = saved.mode
        self.title = saved.title or self.class_title
        self.properties.update(saved.properties)
        self._take_slots(saved)
        for slot in list(self.inputs):
            self.restored(slot, connected=slot.link is not None and slot.link in self.graph.links)
        self.take_values(saved.values)

    def restored(self, slot: InputSlot, *, connected: bool) -> None:
        """Told of each input while the node is filled; classes with inputs that grow add to them."""

    def take_values(self, values: list[Any] | dict[str, Any] | None) -> None:
        """Sets the widgets from saved values: by position, or by name where they were saved so."""
        if values is None:
            return
        index = position = 0
        while index < len(self.widgets):  # setting a value may add widgets behind it
            widget = self.widgets[index]
            index += 1
            if not widget.saved:
                continue
            if isinstance(values, dict):
                if widget.name in values:
                    widget.set(values[widget.name])
            elif position < len(values):
                widget.set(values[position])
            position += 1

    def _take_slots(self, saved: SavedNode) -> None:
        """Slots of a class that the server doesn't know are as they were saved."""
        self.inputs = [saved_input(slot) for slot in saved.inputs]
        self.outputs = [saved_output(slot) for slot in saved.outputs]


def saved_input(slot: dict[str, Any]) -> InputSlot:
    """An input as a workflow file holds it."""
    widget = slot.get("widget")
    named = widget.get("name") if isinstance(widget, dict) else None
    return InputSlot(
        name=slot["name"],
        type=slot.get("type"),
        link=slot.get("link"),
        widget=named if isinstance(named, str) else None,
        label=slot["label"] if isinstance(slot.get("label"), str) else None,
    )


def saved_output(slot: dict[str, Any]) -> OutputSlot:
    """An output as a workflow file holds it."""
    return OutputSlot(name=slot["name"], type=slot.get("type"), links=list(slot.get("links") or []))


def fits(first: Any, second: Any) -> bool:
    """Whether a connection from one type to the other is allowed: any type, the same, or one of several."""
    first, second = (None if kind in ("", ANY, 0) else kind for kind in (first, second))
    if not first or not second or first == second:
        return True
    one, other = str(first).lower(), str(second).lower()
    if "," not in one and "," not in other:
        return one == other
    return any(fits(a, b) for a in one.split(",") for b in other.split(","))

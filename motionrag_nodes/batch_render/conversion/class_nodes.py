"""Nodes of the server's classes, with the inputs that come and go: lists that bring inputs, groups that grow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from motionrag_nodes.batch_render.conversion.extended_classes import (
    add_format_widgets,
    extend,
    take_foreign_values,
)
from motionrag_nodes.batch_render.conversion.js_values import UNDEFINED
from motionrag_nodes.batch_render.conversion.node_definitions import (
    InputDeclaration,
    NodeDefinition,
    declarations,
)
from motionrag_nodes.batch_render.conversion.nodes import InputSlot, Node, OutputSlot, saved_input, saved_output
from motionrag_nodes.batch_render.conversion.pack_fields import present_values
from motionrag_nodes.batch_render.conversion.saved_graph import SavedNode
from motionrag_nodes.batch_render.conversion.widgets import (
    DYNAMIC_CHOICE,
    Widget,
    dynamic_options,
    is_widget_type,
    make_widgets,
    widget_type,
)

GROWING, MATCHING = "COMFY_AUTOGROW_V3", "COMFY_MATCHTYPE_V3"
_GROWS_TO = 100
# Classes whose file name is filled in by text_replacement; all others carry a name to be found by.
NAMES_FILES = frozenset(
    "SaveImage SaveImageAdvanced SaveSVGNode SaveVideo SaveAnimatedWEBP SaveWEBM SaveAudio SaveAudioMP3 SaveAudioOpus "
    "SaveAudioAdvanced SaveGLB Save3DAdvanced SaveGaussianSplat SavePointCloud SaveAnimatedPNG CLIPSave VAESave "
    "ModelSave LoraSave SaveLatent".split()
)
SEARCH_NAME = "Node name for S&R"


@dataclass(frozen=True)
class _GrowingGroup:
    """Inputs that repeat: one more set of `inputs` than is connected, between `least` and `most`."""

    inputs: tuple[InputDeclaration, ...]
    least: int
    most: int
    prefix: str
    names: tuple[str, ...] | None

    def name(self, group: str, number: int, key: str) -> str:
        if self.names is not None:
            return f"{group}.{self.names[number]}" if 0 <= number < len(self.names) else f"{group}.undefined"
        return f"{group}.{self.prefix if len(self.inputs) == 1 else key}{number}"

    def number(self, group: str, input_name: str) -> int | None:
        rest = input_name[len(group) + 1 :]
        if self.names is not None:
            return self.names.index(rest) if rest in self.names else None
        digits = rest[len(rest.rstrip("0123456789")) :]
        return int(digits) if digits else None


@dataclass(eq=False)
class ClassNode(Node):
    """A node that the server runs."""

    definition: NodeDefinition | None = None
    groups: dict[str, _GrowingGroup] = field(default_factory=dict)
    matching: dict[str, dict[str, Any]] = field(default_factory=dict)  # group -> input -> types allowed

    def build(self, definition: NodeDefinition) -> None:
        """Makes slots and widgets: first the sockets, then the widgets, each in the class's order."""
        self.definition = definition
        self.class_type, self.class_title = definition.name, definition.title
        self.title = self.title or definition.title
        for declared in definition.build_order:
            self._add_socket(declared)
        for declared in definition.build_order:
            self._add_widget(declared)
        self.outputs = [OutputSlot(output.name, output.type) for output in definition.outputs]
        extend(self, definition.name)
        if definition.name not in NAMES_FILES:
            self.properties[SEARCH_NAME] = self.type

    def restored(self, slot: InputSlot, *, connected: bool) -> None:
        group, dot, _rest = slot.name.rpartition(".")
        if not dot or group not in self.groups:
            return
        if slot.widget is not None and self.widget(slot.widget) is None:
            # Only shows the slot's name, so that the slot stays.
            self.widgets.append(Widget(slot.widget, "label", UNDEFINED, saved=False))
        if not connected:
            return
        number = self.groups[group].number(group, slot.name)
        if number is not None:
            self._grow(group, number + 1)

    def _take_slots(self, saved: SavedNode) -> None:
        """Declared inputs keep their order and get their saved links by name; undeclared ones follow."""
        self._show_widgets_of_page(saved)
        by_name = {slot["name"]: slot for slot in saved.inputs}
        declared = {slot.name for slot in self.inputs}
        for slot in self.inputs:
            if slot.name in by_name:
                found = saved_input(by_name[slot.name])
                slot.link, slot.label = found.link, found.label
                slot.widget = slot.widget if slot.widget is not None else found.widget
        self.inputs += [saved_input(slot) for slot in saved.inputs if slot["name"] not in declared]
        for output, item in zip(self.outputs, saved.outputs, strict=False):
            output.links = saved_output(item).links
        self.outputs += [saved_output(item) for item in saved.outputs[len(self.outputs) :]]

    def _show_widgets_of_page(self, saved: SavedNode) -> None:
        """Inputs of types that only a pack's own page knows are fields where that page has made them so.

        The file shows it: there is no socket of that name, and there is a value more.
        """
        assert self.definition is not None
        sockets = {slot["name"] for slot in saved.inputs if slot.get("widget") is None}
        made = [
            declared
            for declared in self.definition.build_order
            if declared.name not in sockets
            and not is_widget_type(widget_type(declared))
            and not declared.type.startswith("COMFY_")
            and not declared.forced_to_socket
        ]
        if isinstance(saved.values, dict):
            made = [declared for declared in made if declared.name in saved.values]
        elif len(saved.values or []) - sum(widget.saved for widget in self.widgets) != len(made):
            return
        for declared in made if self.definition.of_pack else []:
            value = declared.options.get("default", UNDEFINED)
            self.widgets.insert(self._place_of(declared), Widget(declared.name, "field of a pack", value))
            slot = self.input(declared.name)
            if slot is not None:
                slot.widget = declared.name

    def _place_of(self, declared: InputDeclaration) -> int:
        """Where the field of an input stands among those of the others: behind those declared before it."""
        assert self.definition is not None
        order = self.definition.build_order
        before = {other.name for other in order[: order.index(declared)]}
        after = {other.name for other in order} - before
        own = [index for index, widget in enumerate(self.widgets) if widget.name in after]
        return own[0] if own else len(self.widgets)

    def take_values(self, values: list[Any] | dict[str, Any] | None) -> None:
        values = present_values(self.type, values)
        super().take_values(self._without_sockets(values) if isinstance(values, list) else values)
        assert self.definition is not None
        if isinstance(values, list) and self.active:
            take_foreign_values(self, self.definition, values)
        if isinstance(values, dict):
            formats = {item.name: item.options.get("formats") for item in self.definition.inputs}
            add_format_widgets(self, values, {name: by for name, by in formats.items() if isinstance(by, Mapping)})

    def _without_sockets(self, values: list[Any]) -> list[Any]:
        """Old files hold a value for inputs that are sockets only; it is left out where the count shows that."""
        assert self.definition is not None
        names = {widget.name for widget in self.widgets}
        sockets: list[bool] = []
        for declared in self.definition.inputs:
            if declared.name in names or declared.forced_to_socket:
                sockets.append(declared.forced_to_socket)
                sockets += [False] if declared.options.get("control_after_generate") else []
        if len(sockets) != len(values):
            return values
        return [value for value, socket in zip(values, sockets, strict=True) if not socket]

    def _add_input(self, declared: InputDeclaration) -> None:
        self._add_socket(declared)
        self._add_widget(declared)

    def _add_socket(self, declared: InputDeclaration) -> None:
        if is_widget_type(widget_type(declared)) and not declared.forced_to_socket:
            return
        if declared.type == GROWING:
            self._add_group(declared)
        elif declared.type == MATCHING and _template(declared):
            template = _template(declared)
            allowed, group = template.get("allowed_types"), str(template.get("template_id"))
            self.inputs.append(InputSlot(declared.name, allowed))
            self.matching.setdefault(group, {})[declared.name] = allowed
        elif declared.type != MATCHING:
            self.inputs.append(InputSlot(declared.name, declared.type))

    def _add_widget(self, declared: InputDeclaration) -> None:
        if not is_widget_type(widget_type(declared)) or declared.forced_to_socket:
            return
        made = make_widgets(declared)
        self.widgets += made
        if widget_type(declared) == DYNAMIC_CHOICE:
            widget, options = made[0], dynamic_options(declared)
            widget.on_set = lambda value: self._choose(widget, options.get(value) if isinstance(value, str) else None)
            widget.on_set(widget.value)
        self.inputs.append(self._slot_of_widget(declared))

    def _slot_of_widget(self, declared: InputDeclaration) -> InputSlot:
        assert self.definition is not None
        own = any(item.name == declared.name for item in self.definition.inputs)
        return InputSlot(declared.name, declared.type, widget=declared.name, declared=declared if own else None)

    def _choose(self, widget: Widget, brings: Mapping[str, Any] | None) -> None:
        """Replaces the inputs that the former choice brought; those of the same name keep their links."""
        inside = f"{widget.name}."
        former = [slot for slot in self.inputs if slot.name.startswith(inside)]
        self.inputs = [slot for slot in self.inputs if not slot.name.startswith(inside)]
        # In place: take_values() walks along this list.
        self.widgets[:] = [other for other in self.widgets if not other.name.startswith(inside)]
        if brings is None:
            return
        kept_inputs, kept_widgets = len(self.inputs), len(self.widgets)
        for section, optional in (("required", False), ("optional", True)):
            for declared in declarations(brings.get(section), optional=optional):
                self._add_input(declared.renamed(f"{widget.name}.{declared.name}"))
        added = self.widgets[kept_widgets:]
        del self.widgets[kept_widgets:]
        place = self.widgets.index(widget) + 1
        self.widgets[place:place] = added
        own = next((index for index, slot in enumerate(self.inputs) if slot.name == widget.name), None)
        if own is None:
            return
        new = self.inputs[kept_inputs:]
        del self.inputs[kept_inputs:]
        self.inputs[own + 1 : own + 1] = new
        links = {slot.name: slot.link for slot in former}
        for slot in [slot for slot in self.inputs if slot.name in links]:
            slot.link = links[slot.name]
            if slot.link is not None and slot.link in self.graph.links:
                self.restored(slot, connected=True)

    def _add_group(self, declared: InputDeclaration) -> None:
        template = _template(declared)
        sections = _mapping(template.get("input"))
        inputs = [
            *declarations(sections.get("required"), optional=False),
            *declarations(sections.get("optional"), optional=True),
        ]
        names = template.get("names")
        most = template.get("max")
        group = _GrowingGroup(
            inputs=tuple(inputs),
            least=_whole(template.get("min"), 1),
            most=len(names) if isinstance(names, list) else _whole(most, _GROWS_TO),
            prefix=template["prefix"] if isinstance(template.get("prefix"), str) else "",
            names=tuple(str(name) for name in names) if isinstance(names, list) else None,
        )
        self.groups[declared.name] = group
        for number in range(max(1, group.least + 1)):
            self._grow(declared.name, number)

    def _grow(self, name: str, number: int) -> None:
        """Adds the inputs of a group's `number`, behind those of the number before."""
        group = self.groups[name]
        if number >= group.most or not group.inputs:
            return
        new: list[InputSlot] = []
        for declared in group.inputs:
            named = declared.renamed(group.name(name, number, declared.name))
            if self.widget(named.name) is None or not is_widget_type(widget_type(named)):
                before = len(self.inputs)
                self._add_input(named)
                new += self.inputs[before:]
                del self.inputs[before:]
            else:
                new.append(self._slot_of_widget(named))
        for slot in new:
            for other in [other for other in self.inputs if other.name == slot.name]:
                slot.link = other.link if slot.link is None else slot.link
                self.inputs.remove(other)
        before_name = group.name(name, number - 1, group.inputs[-1].name)
        places = [index for index, slot in enumerate(self.inputs) if slot.name.startswith(before_name)]
        place = places[-1] + 1 if places else len(self.inputs)
        self.inputs[place:place] = new


def _template(declared: InputDeclaration) -> Mapping[str, Any]:
    return _mapping(declared.options.get("template"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise

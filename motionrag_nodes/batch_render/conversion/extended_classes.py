"""Classes to whose nodes the editor, or a widespread pack, adds widgets beyond those that the server declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from motionrag_nodes.batch_render.conversion.js_values import js_text, truthy
from motionrag_nodes.batch_render.conversion.node_definitions import NodeDefinition, declaration
from motionrag_nodes.batch_render.conversion.nodes import Node
from motionrag_nodes.batch_render.conversion.pack_fields import (
    ADDED,
    BUTTONS_BY_CHOICE,
    INSERT_INTO_TEXT,
    INSERTING,
    MADE_BY_PAGE,
    POWER_PROMPTS,
    SHOW_NUMBERED_TEXTS,
    SHOW_TEXTS,
    TAKEN_AWAY,
    Inserting,
)
from motionrag_nodes.batch_render.conversion.widgets import Widget, is_widget_type, make_widgets
from motionrag_nodes.batch_render.errors import ConversionError

_OWN_LIST = "CustomCombo"
_OPTION = "option"
_LORA_LIST = "Power Lora Loader (rgthree)"


def extend(node: Node, class_name: str) -> None:
    """Adds what the editor, or its pack's page, adds when it makes a node of this class.

    Raises ConversionError: what the node sends stands in no file.
    """
    if class_name == _OWN_LIST and node.widgets:
        _add_own_list(node)
    if class_name in MADE_BY_PAGE:
        raise ConversionError(
            f'Expected values that a saved file holds, but it sends {MADE_BY_PAGE[class_name]}. Use "Export (API)" '
            "in ComfyUI and render that."
        )
    for name, value in ADDED.get(class_name, ()):
        node.widgets.append(Widget(name, "field of a pack", value))
    if class_name in POWER_PROMPTS:
        _keep_lists_with_choices(node)
    for widget, inserting in zip(node.widgets[1:], INSERT_INTO_TEXT.get(class_name, ()), strict=False):
        _insert_into_text(node.widgets[0], widget, inserting)
    if class_name in BUTTONS_BY_CHOICE:
        _add_button(node, *BUTTONS_BY_CHOICE[class_name])


def add_format_widgets(node: Node, values: Mapping[str, Any], formats: Mapping[str, Mapping[str, Any]]) -> None:
    """Adds the widgets that a chosen format brings, with the values saved under their names.

    `formats`: widget -> format -> [[name, type, options], ...], as packs that write videos declare them.
    """
    for widget_name, by_format in formats.items():
        widget = node.widget(widget_name)
        listed = by_format.get(widget.value) if widget is not None and isinstance(widget.value, str) else None
        for spec in listed if isinstance(listed, list) else []:
            if not isinstance(spec, list) or len(spec) < 2 or not isinstance(spec[0], str):
                continue
            declared = declaration(spec[0], spec[1:], optional=True)
            if node.widget(declared.name) is None and is_widget_type(declared.type):
                added = make_widgets(declared)[0]
                if added.name in values:
                    added.set(values[added.name])
                node.widgets.append(added)
                slot = node.input(declared.name)
                if slot is not None:  # it is fed: a primitive takes its kind from what is declared here
                    slot.declared = declared


def take_foreign_values(node: Node, definition: NodeDefinition, values: list[Any]) -> None:
    """Deals with saved values for which a pack's class declares no widget: the pack's page has made one for them.

    Raises ConversionError: the values are objects, and which inputs they stand for only that page knows.
    """
    if definition.name in SHOW_TEXTS:
        _show_texts(node, SHOW_TEXTS[definition.name], values)
        return
    if definition.name == SHOW_NUMBERED_TEXTS:
        _show_numbered_texts(node, values)
        return
    own = sum(widget.saved for widget in node.widgets)
    foreign = [value for value in values[own:] if isinstance(value, Mapping) and value]
    if definition.name == _LORA_LIST:
        _add_loras(node, foreign)
    elif foreign and definition.of_pack:
        raise ConversionError(
            f"{node.named}: Expected values that the server's object_info describes, found some that the page of its "
            f'pack has made, such as {foreign[0]!r:.80}. Use "Export (API)" in ComfyUI and render that.'
        )


def _keep_lists_with_choices(node: Node) -> None:
    """Lists to insert from are shown, and sent, where they offer more than a heading and that they are disabled."""
    lists = [widget for widget in node.widgets if widget.name.startswith(INSERTING)]
    node.widgets = [widget for widget in node.widgets if not widget.name.startswith(TAKEN_AWAY)]
    for widget in lists:
        disabled = len(widget.choices) > 1 and re.match(r"disable\s[a-z]", str(widget.choices[1]), re.IGNORECASE)
        if len(widget.choices) > 2 or (len(widget.choices) == 2 and not disabled):
            widget.value = widget.choices[0]
            node.widgets.append(widget)


def _insert_into_text(text: Widget, widget: Widget, inserting: Inserting) -> None:
    def chosen(value: Any) -> None:
        if value == inserting.shown or (inserting.offered and value not in widget.choices):
            return
        word = js_text(value)
        word = word.removesuffix(".safetensors") if "lora" in inserting.around else word
        before = js_text(text.value)
        text.value = before + (inserting.between if before or inserting.always else "") + inserting.around.format(word)

    widget.on_set = chosen
    widget.computed = lambda: inserting.sent


def _add_button(node: Node, list_name: str, names: Mapping[str, str], otherwise: str) -> None:
    chosen = node.widget(list_name)
    if chosen is None:
        return
    button = Widget(names.get(chosen.value, otherwise), "button", "", saved=False)

    def call(value: Any) -> None:
        button.name = names.get(value, otherwise) if isinstance(value, str) else otherwise

    chosen.on_set = call
    node.widgets.append(button)


def _show_texts(node: Node, room: str, values: list[Any]) -> None:
    place = next((index for index, widget in enumerate(node.widgets) if widget.name == room), len(node.widgets))
    if values:
        node.widgets[place:] = [Widget("text", "text area", value, saved=False) for value in values]


def _show_numbered_texts(node: Node, values: list[Any]) -> None:
    """The texts of the last run, one field each; an empty one before them is left from what the input once was."""
    texts = values[1:] if values and not truthy(values[0]) else values
    for text in [inner for value in texts for inner in (value if isinstance(value, list) else [value])]:
        node.widgets.append(Widget(f"text_{len(node.widgets)}", "text area", text, saved=False))


def _add_loras(node: Node, values: list[Mapping[str, Any]]) -> None:
    """Each entry of rgthree's list of LoRAs is an input of its own; there is one strength unless two are shown."""
    for number, value in enumerate((value for value in values if "lora" in value), start=1):
        entry = {name: item for name, item in value.items() if name != "strengthTwo"}
        if node.properties.get("Show Strengths") == "Separate Model & Clip":
            second = value.get("strengthTwo")
            entry["strengthTwo"] = 1 if second is None else second
        node.widgets.append(Widget(f"lora_{number}", "lora", entry, saved=False))


def _add_own_list(node: Node) -> None:
    """A list whose choices are entered on the node: one more field than there are choices, and the choice's number."""
    chosen = node.widgets[0]

    def number() -> int:
        return next((index for index, option in enumerate(node.widgets[2:]) if option.value == chosen.value), -1)

    node.widgets.append(Widget("index", "number of the choice", -1, computed=number))
    _add_option(node, chosen)


def _add_option(node: Node, chosen: Widget) -> None:
    option = Widget(f"{_OPTION}{len(node.widgets) - 1}", "text", "")

    def entered(value: Any) -> None:
        listed = [widget for widget in node.widgets if widget.name.startswith(_OPTION) and truthy(widget.value)]
        chosen.choices = tuple(js_text(widget.value) for widget in listed)
        if node.widgets[-1] is option:
            if truthy(value):
                _add_option(node, chosen)
        elif not truthy(value) and node.widgets[-2] is option and not truthy(node.widgets[-1].value):
            node.widgets.pop()

    option.on_set = entered
    node.widgets.append(option)

"""The editor's widgets: which ones an input brings, what they hold at first, and what becomes of a value set later."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from motionrag_nodes.batch_render.conversion.js_values import UNDEFINED, js_text, truthy
from motionrag_nodes.batch_render.conversion.node_definitions import InputDeclaration
from motionrag_nodes.batch_render.errors import ConversionError

_SEEDS = frozenset({"seed", "noise_seed"})
_CONTROL = "control_after_generate"
_BOX = ("x", "y", "width", "height")
DYNAMIC_CHOICE = "COMFY_DYNAMICCOMBO_V3"


_Maker = Callable[[InputDeclaration], "list[Widget]"]


@dataclass(eq=False)
class Widget:
    """One field of a node.

    `saved`: it has a place among the node's saved values; `sent`: its value goes into the prompt;
    `choices`: what a list offers; `numbers`: limits and steps of a number; `on_set`: told after a value is set;
    `alternatives`: random choices in braces are resolved when the prompt is made; `computed`: gives the value then.
    """

    name: str
    kind: str
    value: Any
    saved: bool = True
    sent: bool = True
    choices: tuple[Any, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    alternatives: bool = False
    on_set: Callable[[Any], None] | None = None
    computed: Callable[[], Any] | None = None

    def set(self, value: Any) -> None:
        """Takes a value as the editor does for its kind."""
        if self.kind == "text area" and value is None:
            value = ""
        if self.kind == "formatted text" and not isinstance(value, str):
            value = "" if value is None else js_text(value)
        self.value = value
        if self.on_set is not None:
            self.on_set(value)

    def set_by_program(self, value: Any) -> None:
        """As set(), and then rounded and limited as after typing: numbers that come from a primitive are."""
        self.set(value)
        if self.kind == "whole number":
            self.value = _rounded_whole(value, self.numbers)
        elif self.kind == "number":
            self.value = _rounded(value, self.numbers)


def is_widget_type(kind: str) -> bool:
    """Whether the editor makes a widget of an input of this type."""
    return kind in _MAKERS


def make_widgets(declared: InputDeclaration) -> list[Widget]:
    """The widgets of an input, its own first and those that control it behind.

    Raises ConversionError: the widget's value is made in the editor and stands in no file.
    """
    return _MAKERS[widget_type(declared)](declared)


def widget_type(declared: InputDeclaration) -> str:
    """The type that decides on the widget, which may differ from the type of the connection."""
    named = declared.options.get("widgetType")
    return named if isinstance(named, str) and named else declared.type


def first_widget(declared: InputDeclaration) -> Widget:
    """The widget of an input alone, as a primitive makes it after the input that it is connected to."""
    return make_widgets(declared)[0]


def _whole_number(declared: InputDeclaration) -> list[Widget]:
    options = declared.options
    widget = Widget(declared.name, "whole number", _or(options.get("default"), 0), numbers=_numbers(options, 1))
    control = options.get(_CONTROL)
    if control if control is not None else declared.name in _SEEDS:
        return [widget, _control(options)]
    return [widget]


def _number(declared: InputDeclaration) -> list[Widget]:
    options = declared.options
    widget = Widget(declared.name, "number", _or(options.get("default"), 0), numbers=_numbers(options, 0.5))
    return [widget, _control(options)] if options.get(_CONTROL) else [widget]


def _switch(declared: InputDeclaration) -> list[Widget]:
    return [Widget(declared.name, "switch", _or(declared.options.get("default"), False))]


def _text(declared: InputDeclaration) -> list[Widget]:
    options = declared.options
    default, alternatives = js_text(_or(options.get("default"), "")), options.get("dynamicPrompts") is True
    if not truthy(options.get("multiline")):
        return [Widget(declared.name, "text", default, alternatives=alternatives)]
    # A field of several lines knows one kind of line end.
    lines = default.replace("\r\n", "\n").replace("\r", "\n")
    return [Widget(declared.name, "text area", lines, alternatives=alternatives)]


def _choice(declared: InputDeclaration) -> list[Widget]:
    options = declared.options
    if truthy(options.get("multi_select")):
        widget = Widget(declared.name, "several choices", [], choices=declared.choices)
    else:
        widget = Widget(declared.name, "choice", _first_choice(declared), choices=declared.choices)
    made = [widget]
    remote = options.get("remote")
    if isinstance(remote, Mapping):
        made.append(Widget("Auto-refresh after generation", "switch", False, sent=False))
        made += [Widget("refresh", "button", "refresh")] if truthy(remote.get("refresh_button")) else []
    if truthy(options.get(_CONTROL)):
        made += [_control(options), Widget("control_filter_list", "text", "", sent=False)]
    return made


def _first_choice(declared: InputDeclaration) -> Any:
    default = declared.options.get("default")
    if truthy(default):
        return default
    if declared.choices:
        return declared.choices[0]
    return "Loading..." if truthy(declared.options.get("remote")) else UNDEFINED


def _dynamic_choice(declared: InputDeclaration) -> list[Widget]:
    keys = tuple(dynamic_options(declared))
    return [Widget(declared.name, "choice", keys[0] if keys else UNDEFINED, choices=keys)]


def dynamic_options(declared: InputDeclaration) -> dict[str, Mapping[str, Any]]:
    """The inputs that each choice of a dynamic list brings: key -> {"required": ..., "optional": ...}."""
    options = declared.options.get("options")
    found: dict[str, Mapping[str, Any]] = {}
    for option in options if isinstance(options, list) else []:
        if isinstance(option, Mapping) and isinstance(option.get("key"), str):
            inputs = option.get("inputs")
            found[option["key"]] = inputs if isinstance(inputs, Mapping) else {}
    return found


def _holding(kind: str, value: Any, **fields: Any) -> _Maker:
    """A maker of widgets that hold the declared default, else `value`."""

    def make(declared: InputDeclaration) -> list[Widget]:
        default = copy.deepcopy(_or(declared.options.get("default"), value))
        return [Widget(declared.name, kind, default, **fields)]

    return make


def _from_options(kind: str, name: str, value: Any) -> _Maker:
    """A maker of widgets whose first value stands in a second object of options."""

    def make(declared: InputDeclaration) -> list[Widget]:
        inner = declared.options.get("options")
        first = inner.get(name) if isinstance(inner, Mapping) else None
        return [Widget(declared.name, kind, copy.deepcopy(first if truthy(first) else value))]

    return make


def _colour(declared: InputDeclaration) -> list[Widget]:
    inner = declared.options.get("options")
    nested = inner.get("default") if isinstance(inner, Mapping) else None
    return [Widget(declared.name, "colour", _or(declared.options.get("default"), _or(nested, "#000000")))]


def _box(declared: InputDeclaration) -> list[Widget]:
    default = _or(declared.options.get("default"), {"x": 0, "y": 0, "width": 512, "height": 512})
    sides = [Widget(side, "whole number", default.get(side), sent=False) for side in _BOX]
    return [Widget(declared.name, "box", dict(default)), *sides]


def _video_edit(declared: InputDeclaration) -> list[Widget]:
    features = _or(declared.options.get("features"), ["trim", "crop"])
    value: dict[str, Any] = {}
    if "trim" in features:
        value["trim"] = {"start_time": 0, "duration": 0}
    if "crop" in features:
        value["crop"] = {"x": 0, "y": 0, "width": 0, "height": 0}
    return [Widget(declared.name, "video edit", copy.deepcopy(_or(declared.options.get("default"), value)))]


def _upload_button(value: str) -> _Maker:
    return lambda declared: [Widget(declared.name, "button", value, sent=False)]


def _audio_record(declared: InputDeclaration) -> list[Widget]:
    # A recording lives in the page; in a file there is none.
    return [Widget(declared.name, "recording", ""), Widget(declared.name, "button", "", sent=False)]


def _in_editor_only(what: str) -> _Maker:
    def make(declared: InputDeclaration) -> list[Widget]:
        raise ConversionError(
            f"Expected values that a saved file holds, but its input {declared.name} is {what}, which the editor makes "
            'when the prompt is queued. Use "Export (API)" in ComfyUI and render that.'
        )

    return make


_MAKERS: dict[str, _Maker] = {
    "INT": _whole_number,
    "FLOAT": _number,
    "BOOLEAN": _switch,
    "STRING": _text,
    "COMBO": _choice,
    DYNAMIC_CHOICE: _dynamic_choice,
    # The declared text is shown, but not held.
    "MARKDOWN": lambda declared: [Widget(declared.name, "formatted text", "")],
    "TEXTAREA": _from_options("text", "default", ""),
    "COLOR": _colour,
    "COLORS": _holding("colours", []),
    "CHART": _from_options("chart", "data", {}),
    "GALLERIA": _from_options("pictures", "images", []),
    "IMAGECOMPARE": lambda declared: [Widget(declared.name, "comparison", ["", ""], saved=False)],
    "BOUNDING_BOX": _box,
    "BOUNDING_BOXES": _holding("boxes", []),
    "PAINTER": _holding("painting", ""),
    "CURVE": _holding("curve", {"points": [[0, 0], [1, 1]], "interpolation": "monotone_cubic"}),
    "RANGE": _holding("range", {"min": 0, "max": 1}),
    "VIDEO_EDIT": _video_edit,
    "IMAGEUPLOAD": _upload_button("image"),
    "AUDIOUPLOAD": _upload_button(""),
    "AUDIO_UI": lambda declared: [Widget(declared.name, "player", "", saved=False, sent=False)],
    "AUDIO_RECORD": _audio_record,
    "PREVIEW_3D": lambda declared: [Widget("image", "view", "")],
    "LOAD_3D": _in_editor_only("a picture of a 3D scene"),
    "LOAD_3D_ADVANCED": _in_editor_only("the state of a 3D view"),
    "WEBCAM": _in_editor_only("a picture from the camera"),
    "COMPOSITOR": _holding("composition", {}),
}


def _control(options: Mapping[str, Any]) -> Widget:
    named = options.get(_CONTROL)
    prefix = options.get("control_prefix")
    name = named if isinstance(named, str) else f"{prefix} {_CONTROL}" if isinstance(prefix, str) else _CONTROL
    return Widget(name, "choice", "randomize", sent=False)


def _numbers(options: Mapping[str, Any], step: float) -> dict[str, Any]:
    return {
        "min": _or(options.get("min"), 0),
        "max": _or(options.get("max"), 2048),
        "step": _or(options.get("step"), step),
        "round": options.get("round"),
    }


def _rounded_whole(value: Any, numbers: Mapping[str, Any]) -> Any:
    if not _is_number(value):
        return value
    step = numbers.get("step") or 1
    offset = math.fmod(numbers.get("min") or 0, step) if step != 1 else 0
    return _tidy(_half_up((value - offset) / step) * step + offset)


def _rounded(value: Any, numbers: Mapping[str, Any]) -> Any:
    if not _is_number(value):
        return value
    step = numbers.get("step")
    precision = max(0, -math.floor(math.log10(step))) if _is_number(step) and step > 0 else 0
    unit = numbers.get("round")
    if not unit and precision:
        unit = 10.0**-precision
    if not _is_number(unit) or not unit:
        return value
    rounded = float(f"{_half_up(value / unit) * unit:.{precision}f}")
    low, high = numbers.get("min"), numbers.get("max")
    if _is_number(low):
        rounded = max(rounded, low)
    if _is_number(high):
        rounded = min(rounded, high)
    return _tidy(rounded)


def _half_up(value: float) -> float:
    return math.floor(value + 0.5)


def _tidy(value: float) -> Any:
    return int(value) if float(value).is_integer() else value


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _or(value: Any, other: Any) -> Any:
    return other if value is None else value

"""What widgets hold at first, and what becomes of values that are set later."""

from __future__ import annotations

from typing import Any

import pytest

from motionrag_nodes.batch_render.conversion.js_values import UNDEFINED
from motionrag_nodes.batch_render.conversion.node_definitions import declaration
from motionrag_nodes.batch_render.conversion.widgets import Widget, is_widget_type, make_widgets
from motionrag_nodes.batch_render.errors import ConversionError


def _widgets(*spec: Any, name: str = "w") -> list[Widget]:
    return make_widgets(declaration(name, list(spec), optional=False))


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (("STRING", {"default": 5}), "5"),
        (("STRING", {"default": "a\r\nb"}), "a\r\nb"),
        (("STRING", {"default": "a\r\nb", "multiline": True}), "a\nb"),
        (("STRING", {"default": None}), ""),
        (("INT", {}), 0),
        (("BOOLEAN", {}), False),
        ((["a", "b"], {"default": "b"}), "b"),
        ((["a", "b"], {"default": ""}), "a"),
        (([],), UNDEFINED),
        (("COMBO", {"options": ["x"], "multi_select": True}), []),
        (("COMBO", {"remote": {"route": "/list"}}), "Loading..."),
        (("FLOAT,INT", {"widgetType": "FLOAT", "default": 24}), 24),
        (("MARKDOWN", {"default": "# shown"}), ""),
    ],
)
def test_first_values(spec: tuple[Any, ...], value: Any) -> None:
    assert _widgets(*spec)[0].value == value


@pytest.mark.parametrize(
    ("name", "spec", "names"),
    [
        ("seed", ("INT", {}), ["seed", "control_after_generate"]),
        ("seed", ("INT", {"control_after_generate": False}), ["seed"]),
        ("steps", ("INT", {"control_after_generate": "my control"}), ["steps", "my control"]),
        ("seed", ("FLOAT", {}), ["seed"]),
        ("c", (["a"], {"control_after_generate": True}), ["c", "control_after_generate", "control_filter_list"]),
        ("b", ("BOUNDING_BOX", {}), ["b", "x", "y", "width", "height"]),
        (
            "r",
            ("COMBO", {"remote": {"refresh_button": True}}),
            ["r", "Auto-refresh after generation", "refresh"],
        ),
    ],
)
def test_widgets_that_come_along(name: str, spec: tuple[Any, ...], names: list[str]) -> None:
    assert [widget.name for widget in _widgets(*spec, name=name)] == names


@pytest.mark.parametrize(
    ("spec", "given", "held"),
    [
        (("FLOAT", {"step": 0.1}), 0.75, 0.8),
        (("FLOAT", {"step": 0.01, "max": 0.5}), 0.756, 0.5),
        (("FLOAT", {"step": 1}), 0.756, 0.756),
        (("FLOAT", {"step": 0.1, "round": 0.25}), 0.6, 0.5),
        (("INT", {}), 2.5, 3),
        (("INT", {"min": 4, "step": 8}), 17, 20),
        (("STRING", {}), 2.5, 2.5),
    ],
)
def test_numbers_from_a_primitive_are_rounded(spec: tuple[Any, ...], given: float, held: float) -> None:
    widget = _widgets(*spec)[0]
    widget.set(given)
    assert widget.value == given
    widget.set_by_program(given)
    assert widget.value == held


def test_what_the_page_alone_makes_is_refused() -> None:
    assert is_widget_type("LOAD_3D")
    with pytest.raises(ConversionError, match=r"its input w is a picture of a 3D scene"):
        _widgets("LOAD_3D", {})

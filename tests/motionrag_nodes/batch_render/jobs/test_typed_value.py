"""The type of a value, from its text."""

from __future__ import annotations

from typing import Any

import pytest

from motionrag_nodes.batch_render.errors import NodeValueError
from motionrag_nodes.batch_render.jobs.typed_value import typed_value

INT: list[Any] = ["INT", {"min": 0, "max": 2**64 - 1}]
FLOAT: list[Any] = ["FLOAT", {"min": -1.0, "max": 1000.0}]


@pytest.mark.parametrize(
    ("text", "spec", "expected"),
    [
        ("2.0", INT, 2),
        ("1E+1", INT, 10),
        ("9007199254740993", INT, 9007199254740993),
        ("18446744073709551615", INT, 18446744073709551615),
        ("-.5", FLOAT, -0.5),
        ("1e-3", FLOAT, 0.001),
        ("TRUE", ["BOOLEAN", {}], True),
        ("Yes", ["BOOLEAN"], True),
        ("0", ["BOOLEAN", {}], False),
        ("TRUE", [["a", "true", "1"]], "true"),
        ("8.0", [[4, 8, 16]], 8),
        ("=1+1", ["STRING", {}], "=1+1"),
        ('["a", "c"]', ["COMBO", {"options": ["a", "b", "c"], "multiselect": True}], {"__value__": ["a", "c"]}),
        ("a, b", [["a", "b"], {"multi_select": {"placeholder": ""}}], {"__value__": ["a", "b"]}),
    ],
)
def test_values(text: str, spec: list[Any], expected: Any) -> None:
    value = typed_value(text, spec, name="1.x")
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "spec", "message"),
    [
        ("1_0", INT, "Expected a whole number, received '1_0'"),
        ("2.5", INT, "Expected a whole number, received '2.5'"),
        ("inf", INT, "Expected a whole number"),
        ("1e4000", INT, "Expected a whole number"),
        ("-1", INT, "Expected 0 to 18446744073709551615, received -1"),
        ("18446744073709551616", INT, "received 18446744073709551616"),
        ("inf", FLOAT, "Expected -1.0 to 1000.0, received inf"),
        ("nan", FLOAT, "received nan"),
        ("[1, 2]", FLOAT, r"Expected a number, received '\[1, 2\]'"),
        ("0,5", FLOAT, r"Expected a number, received '0,5': write 0\.5 if a decimal is meant"),
        ("1,000", FLOAT, "Expected a number, received '1,000'"),
        ("A", [["a", "Aa", "aA"]], None),
        ("AA", [["aa", "Aa"]], "Expected one of its choices, received 'AA'"),
        ("[", ["COMBO", {"options": ["a"], "multiselect": True}], "Expected a list, received"),
        ("a,x", ["COMBO", {"options": ["a"], "multiselect": True}], "Expected one of its choices, received 'x'"),
    ],
)
def test_what_a_value_cannot_be(text: str, spec: list[Any], message: str | None) -> None:
    if message is None:  # one choice alone is alike
        assert typed_value(text, spec, name="1.x") == "a"
        return
    with pytest.raises(NodeValueError, match=message):
        typed_value(text, spec, name="1.x")


def test_decimal_commas_only_where_they_are_the_custom() -> None:
    assert typed_value("0,5", FLOAT, name="1.x", decimal_comma=True) == 0.5
    assert typed_value("-1,0", FLOAT, name="1.x", decimal_comma=True) == -1.0
    assert typed_value("2,0", INT, name="1.x", decimal_comma=True) == 2
    with pytest.raises(NodeValueError, match="Expected a number"):
        typed_value("1.000,5", FLOAT, name="1.x", decimal_comma=True)

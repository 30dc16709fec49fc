"""Numbers, texts and orders as JavaScript has them."""

from __future__ import annotations

import pytest

from motionrag_nodes.batch_render.conversion.js_values import UNDEFINED, as_js, js_text, property_order


def test_numbers_are_doubles() -> None:
    assert as_js([1.0, 2**53 + 1, -(2**63), 0.5]) == [1, 2**53, -9223372036854776000, 0.5]
    assert [type(value) for value in as_js([1.0, 10**400])] == [int, type(None)]
    assert as_js({"nan": float("nan"), "true": True}) == {"nan": None, "true": True}


def test_a_copy_is_deep() -> None:
    value = {"list": [{"a": 1}]}
    as_js(value)["list"][0]["a"] = 2
    assert value == {"list": [{"a": 1}]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (UNDEFINED, "undefined"),
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (0.00001, "0.00001"),
        (-0.0000125, "-0.0000125"),
        (1.5e-7, "1.5e-7"),
        (1e21, "1e+21"),
        ([1, None, "a"], "1,,a"),
        ({}, "[object Object]"),
    ],
)
def test_texts_of_values(value: object, text: str) -> None:
    assert js_text(value) == text


def test_whole_numbers_come_first() -> None:
    assert property_order(["b", "10", "a", "9", "01", "3:1"]) == ["9", "10", "b", "a", "01", "3:1"]

"""How names and weights are written down, and what is refused with the line it stands in."""

import pytest

from index_builder.errors import InvalidSetting
from motionrag_nodes.neighbours.steering import Steering, parse_names, parse_weights


def test_names_stand_between_commas_or_on_lines() -> None:
    assert parse_names(" a b.mp4, c ,,\nd\nc\n") == ("a b.mp4", "c", "d")
    assert parse_names(" \n ") == ()


def test_weights_stand_one_a_line() -> None:
    text = "#2: 1.5\n\nskier 04.mp4 : 0\nC:\\clips\\a.mp4: 2\n"
    assert parse_weights(text) == {"#2": 1.5, "skier 04.mp4": 0.0, "C:\\clips\\a.mp4": 2.0}
    assert parse_weights("") == {}


@pytest.mark.parametrize("line", ["skier 2", "skier:", ": 2", "skier: much", "2"])
def test_a_line_that_is_no_weight_is_named(line: str) -> None:
    with pytest.raises(InvalidSetting, match=r"Expected NAME: WEIGHT in line 2 of the weights, received"):
        parse_weights(f"#1: 1\n{line}")


def test_two_weights_for_one_name_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="one weight for a, received a second in line 2"):
        parse_weights("a: 1\na: 2")


@pytest.mark.parametrize("weight", [-0.1, 101.0, float("nan"), float("inf")])
def test_weights_out_of_range_are_refused(weight: float) -> None:
    with pytest.raises(InvalidSetting, match="a weight from 0 to 100 for a, received"):
        Steering(weights={"a": weight})

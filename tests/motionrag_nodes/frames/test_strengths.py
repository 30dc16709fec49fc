"""Strengths as they are written down."""

from __future__ import annotations

import pytest

from index_builder.errors import InvalidSetting
from motionrag_nodes.frames.strengths import parse_strengths


def test_numbers_between_commas_each_once() -> None:
    assert parse_strengths(" 1, 0.5,, 1,3 ") == (1.0, 0.5, 3.0)


@pytest.mark.parametrize("text", ["", "much", "-1", "0.5; 1", "4", "nan"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="Expected strengths from 0 to 3 between commas"):
        parse_strengths(text)

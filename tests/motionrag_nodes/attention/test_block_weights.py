"""Weights of blocks as artists write them."""

from __future__ import annotations

import pytest

from motionrag_nodes.attention.block_weights import site_weights
from motionrag_nodes.errors import BlockWeightsInvalid

BLOCKS = {
    "first": ("down.0.0", "down.0", "down"),
    "second": ("down.1.0", "down.1", "down"),
    "third": ("mid",),
    "fourth": ("up.0.0", "up.0", "up"),
    "fifth": ("up.0.1", "up.0", "up"),
}


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("", [1, 1, 1, 1, 1]),
        ("down=0.5", [0.5, 0.5, 1, 1, 1]),
        (" mid = 0 ,\n up=2,", [1, 1, 0, 2, 2]),
        ("down.1=0, down=3", [3, 0, 1, 1, 1]),  # the narrower wins, wherever it stands
        ("up=0, up.0=0.5, up.0.1=-1", [1, 1, 1, 0.5, -1]),
    ],
)
def test_weights(text: str, weights: list[float]) -> None:
    assert list(site_weights(text, BLOCKS).values()) == weights
    assert list(site_weights(text, BLOCKS)) == list(BLOCKS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("down", "'down' is no block=number"),
        ("down=much", "'down=much' is no block=number"),
        ("down=inf", "'down=inf' is no block=number"),
        ("side=1", "there is no block 'side'"),
        ("up.1=1", r"there is no block 'up\.1'"),
        ("mid=1, mid=2", "mid comes twice"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, problem: str) -> None:
    with pytest.raises(
        BlockWeightsInvalid,
        match=rf"Expected block weights such as .*{problem}\. The blocks are down, mid, up, down\.0",
    ):
        site_weights(text, BLOCKS)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(BlockWeightsInvalid, match="'x' is no block=number; there is no block 'left'"):
        site_weights("x, left=1, mid=1", BLOCKS)

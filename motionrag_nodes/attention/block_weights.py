"""How strongly motion enters each block of the UNet, as an artist writes it: "down=0.5, up.2=0, mid=1.5"."""

from __future__ import annotations

import math
from collections.abc import Iterable

from motionrag_nodes.errors import BlockWeightsInvalid


def site_weights(text: str, sites: Iterable[str]) -> dict[str, float]:
    """Each site (its path in diffusers' UNet) -> the weight that `text` gives it, 1 where it says nothing.

    `text` is a list of block=weight, divided by commas or line ends. A block is down, mid or up, one level of it
    (up.2, counted in the order of the data's way) or one attention of a level (up.2.0). The narrower entry wins.

    Raises:
        BlockWeightsInvalid: an entry cannot be read, names a block that the model does not have, or comes twice;
            every problem is listed.
    """
    blocks = {site: _blocks_of(site) for site in sites}
    known = sorted({block for names in blocks.values() for block in names}, key=lambda name: (name.count("."), name))
    given: dict[str, float] = {}
    problems: list[str] = []
    for entry in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        block, weight, problem = _read(entry, known)
        if problem is None and block in given:
            problem = f"{block} comes twice"
        if problem is None:
            given[block] = weight
        else:
            problems.append(problem)
    if problems:
        raise BlockWeightsInvalid(
            f"Expected block weights such as 'down=0.5, up.1=0', received {text!r}: {'; '.join(problems)}. "
            f"The blocks are {', '.join(known)}."
        )
    return {site: next((given[name] for name in names if name in given), 1.0) for site, names in blocks.items()}


def _blocks_of(site: str) -> tuple[str, ...]:
    """The names that a site answers to, the narrowest first."""
    block, *rest = site.split(".")
    side = block.split("_")[0]
    if side == "mid":
        return (side,)
    level, attention = rest[0], rest[2]
    return f"{side}.{level}.{attention}", f"{side}.{level}", side


def _read(entry: str, known: list[str]) -> tuple[str, float, str | None]:
    """(block, weight, what is wrong with it)"""
    block, equals, number = (part.strip() for part in entry.partition("="))
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not equals or not math.isfinite(weight):
        return block, weight, f"{entry!r} is no block=number"
    if block not in known:
        return block, weight, f"there is no block {block!r}"
    return block, weight, None

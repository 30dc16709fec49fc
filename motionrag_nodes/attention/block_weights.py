"""How strongly motion enters each block of a model, as an artist writes it: "down=0.5, up.2=0, mid=1.5"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from motionrag_nodes.errors import BlockWeightsInvalid


def site_weights(text: str, blocks: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Each site -> the weight that `text` gives it, 1 where it says nothing.

    `text` is a list of block=weight, divided by commas or line ends. `blocks` holds the names of blocks that each site
    answers to, the narrowest first, as the backbone gives them; the narrower entry wins.

    Raises BlockWeightsInvalid: an entry cannot be read, names a block that the model does not have, or comes twice;
    every problem is listed.
    """
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
            f"Expected block weights such as '{known[0]}=0.5', received {text!r}: {'; '.join(problems)}. "
            f"The blocks are {', '.join(known)}."
        )
    return {site: next((given[name] for name in names if name in given), 1.0) for site, names in blocks.items()}


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

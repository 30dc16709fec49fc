"""Steering: which clips an artist leaves out, asks for by name, or has count more, and how that is written down.

A clip is called by its id, or by the path, the file name or the stem of its video. Names stand on lines of their own or
between commas; weights stand one a line as `NAME: WEIGHT`, where `#2` is the clip of rank 2 as the sheet shows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

from index_builder.errors import InvalidSetting
from motionrag_nodes.errors import NeighboursNotFound

if TYPE_CHECKING:
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.neighbours.neighbours import Neighbour

MAX_WEIGHT = 100.0
_RANK = re.compile(r"#(\d+)")


@dataclass(frozen=True)
class Steering:
    """`exclude`: never among the neighbours; `pin`: always, and first; `weights`: by name or "#rank", else 1."""

    exclude: tuple[str, ...] = ()
    pin: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        both = sorted(set(self.exclude) & set(self.pin))
        if both:
            raise InvalidSetting(
                f"Expected each clip to be excluded or pinned, received both for {', '.join(both)}: take it out of one."
            )
        for name, weight in self.weights.items():
            if not (math.isfinite(weight) and 0 <= weight <= MAX_WEIGHT):
                raise InvalidSetting(
                    f"Expected a weight from 0 to {MAX_WEIGHT:g} for {name}, received {weight}: 1 is as usual, 2 "
                    "counts twice, 0 not at all."
                )


def parse_names(text: str) -> tuple[str, ...]:
    """Names between commas or on lines of their own, each once."""
    names = (name.strip() for name in re.split(r"[,\n]", text))
    return tuple(dict.fromkeys(name for name in names if name))


def parse_weights(text: str) -> dict[str, float]:
    """Lines of `NAME: WEIGHT`; empty lines do not count. Raises InvalidSetting with the line that is not one."""
    weights: dict[str, float] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        # The last colon: a path may hold others.
        name, colon, value = line.rpartition(":")
        name = name.strip()
        try:
            weight = float(value)
        except ValueError:
            colon = ""
        if not colon or not name:
            raise InvalidSetting(
                f"Expected NAME: WEIGHT in line {number} of the weights, received {line.strip()!r}: write for instance "
                "'#2: 1.5' (the clip of rank 2) or 'skier_04: 0'."
            )
        if name in weights:
            raise InvalidSetting(f"Expected one weight for {name}, received a second in line {number}: remove one.")
        weights[name] = weight
    return weights


def pinned_ids(database: MotionDatabase, steering: Steering, *, top_k: int) -> list[str]:
    """Ids of the rows that are pinned, in the order of the names. Raises NeighboursNotFound, InvalidSetting."""
    ids: dict[str, None] = {}
    for name in steering.pin:
        called = database.ids_called(name)
        if not called:
            raise NeighboursNotFound(
                f"Expected a clip of {database.path.name} called {name} to pin, found none: take the name from the "
                "sheet, or run motionrag index search."
            )
        ids.update(dict.fromkeys(called))
    if len(ids) > top_k:
        raise InvalidSetting(
            f"Expected at most top_k = {top_k} pinned clips, received names of {len(ids)}: raise top_k, or name single "
            "clips by their ids."
        )
    return list(ids)


def without_named_zeros(steering: Steering, database: MotionDatabase) -> Steering:
    """Clips whose name has weight 0 are excluded, so that they take no neighbour's place. Raises InvalidSetting for a
    name that means nothing."""
    zeros = [name for name, weight in steering.weights.items() if weight == 0 and not _RANK.fullmatch(name)]
    for name in zeros:
        if not database.has_source(name) and not database.ids_called(name):
            raise InvalidSetting(
                f"Expected the weight of a clip, received {name}: names are ids, file names or stems of "
                f"{database.path.name}"
            )
    kept = {name: weight for name, weight in steering.weights.items() if name not in zeros}
    pinned = tuple(name for name in steering.pin if name not in zeros)
    return Steering((*steering.exclude, *zeros), pinned, kept)


def without_ranked_zeros(steering: Steering, ranked: Sequence[str]) -> tuple[Steering, bool]:
    """Ranks of weight 0 among `ranked`, the ids found, are excluded, and the other ranks' weights given to their ids.
    With it comes whether there were any, so that what takes their places is to be found."""
    places = {
        name: int(rank[1]) - 1
        for name in steering.weights
        if (rank := _RANK.fullmatch(name)) and 0 < int(rank[1]) <= len(ranked)
    }
    zeros = {ranked[place] for name, place in places.items() if steering.weights[name] == 0}
    if not zeros:
        return steering, False
    by_id = {ranked[place]: steering.weights[name] for name, place in places.items() if steering.weights[name]}
    rest = {name: weight for name, weight in steering.weights.items() if name not in places}
    return Steering((*steering.exclude, *zeros), _unpinned(steering, zeros), {**by_id, **rest}), True


def _unpinned(steering: Steering, ids: set[str]) -> tuple[str, ...]:
    return tuple(name for name in steering.pin if name not in ids)


def weights_of(items: Sequence[Neighbour], steering: Steering, database: MotionDatabase) -> tuple[float, ...]:
    """The weight of each neighbour. A clip that is in the database but not among the neighbours may have one, so that
    weights may stay when the prompt changes. Raises InvalidSetting for a name or rank that means nothing."""
    weights = [1.0] * len(items)
    for name, weight in steering.weights.items():
        rank = _RANK.fullmatch(name)
        if rank is not None:
            places = [place for place, item in enumerate(items) if item.rank == int(rank[1])]
        else:
            places = [place for place, item in enumerate(items) if name in _names(item)]
        if not places and (rank is not None or not database.has_source(name)):
            raise InvalidSetting(
                f"Expected the weight of a clip, received {name}: ranks go from #1 to #{len(items)}, and names are "
                f"ids, file names or stems of {database.path.name}"
            )
        for place in places:
            weights[place] = weight
    return tuple(weights)


def _names(item: Neighbour) -> set[str]:
    path = PurePath(item.source)
    return {item.row_id, item.source, path.name, path.stem}

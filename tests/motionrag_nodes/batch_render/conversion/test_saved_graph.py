"""Broken workflows are refused in a sentence that names the place."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from motionrag_nodes.batch_render.conversion.convert import convert_workflow
from motionrag_nodes.batch_render.errors import ConversionError
from tests.motionrag_nodes.batch_render.conversion.corpus import random_cases, self_made
from tests.motionrag_nodes.batch_render.graphs import object_info


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"nodes": 5}, "The workflow: Expected a list as nodes, received a number"),
        ({"nodes": [None]}, "node 1: Expected an object, received nothing"),
        ({"nodes": [{"id": 1}]}, r"node 1 \(id 1\): Expected a type"),
        ({"nodes": [{"type": "Note"}]}, "Expected an id"),
        ({"nodes": [{"id": True, "type": "Note"}]}, "Expected an id"),
        ({"nodes": [{"id": 1, "type": "Note", "widgets_values": "x"}]}, "Expected its values in a list"),
        ({"nodes": [{"id": 1, "type": "Note", "inputs": [3]}]}, "Expected objects in its inputs"),
        ({"nodes": [{"id": 1, "type": "Note", "inputs": [{"link": "x"}]}]}, "Expected numbers of links"),
        ({"nodes": [{"id": 1, "type": "Note"}] * 2}, "Expected one node with the id 1, found two"),
        ({"nodes": [], "links": [[1, 2]]}, "Expected each link as"),
        ({"nodes": [], "links": [[1, 2, "a", 3, 0, "X"]]}, "Expected links that say what they connect"),
        ({"nodes": [], "definitions": {"subgraphs": [{}]}}, "Expected an id of each subgraph"),
    ],
)
def test_broken_parts_are_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        convert_workflow(data, object_info())


def test_group_nodes_of_unknown_classes_are_missing_classes() -> None:
    data: dict[str, Any] = {"nodes": [{"id": 1, "type": "workflow>g"}]}
    for kind in ("Nowhere", ["a"], None):
        data["extra"] = {"groupNodes": {"g": {"nodes": [{"type": kind}]}}}
        with pytest.raises(ConversionError, match="lacks workflow>g"):
            convert_workflow(data, object_info())


def test_a_subgraph_in_itself_is_refused() -> None:
    loop = [{"id": "a", "name": "A", "nodes": [{"id": 1, "type": "b"}]}, {"id": "b", "nodes": [{"id": 2, "type": "a"}]}]
    with pytest.raises(ConversionError, match="Expected subgraphs that do not contain themselves, but 'A' does"):
        convert_workflow({"nodes": [], "definitions": {"subgraphs": loop}}, object_info())


def test_no_damage_ends_in_anything_but_a_prompt_or_a_sentence() -> None:
    chance = random.Random(5)
    cases = [*self_made(), *random_cases()]
    pieces: list[Any] = [None, True, -1, 0, 10**30, 1.5, "", "x", "-10", [], {}, [[]], {"a": 1}, "Reroute", "Dynamic"]
    outcomes = set()
    for _ in range(600):
        case = chance.choice(cases)
        data, info = (json.loads(json.dumps(part)) for part in (case.workflow, case.object_info))
        for _ in range(chance.randint(1, 5)):
            _damage(data, chance, pieces)
        if chance.random() < 0.2:
            _damage(info, chance, pieces)
        try:
            convert_workflow(data, info)
            outcomes.add("prompt")
        except ConversionError as error:
            assert str(error)[0].isupper() and str(error)[-1] in ".)"
            outcomes.add("refused")
    assert outcomes == {"prompt", "refused"}


def _damage(data: Any, chance: random.Random, pieces: list[Any]) -> None:
    """Replaces, takes away or doubles one part somewhere inside."""
    places: list[tuple[Any, Any]] = []

    def collect(value: Any) -> None:
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            places.append((value, key))
            if isinstance(item, dict | list):
                collect(item)

    collect(data)
    if not places:
        return
    holder, key = chance.choice(places)
    how = chance.random()
    if how < 0.6:
        holder[key] = chance.choice(pieces)
    elif how < 0.8 or isinstance(holder, dict):
        del holder[key]
    else:
        holder.append(holder[key])

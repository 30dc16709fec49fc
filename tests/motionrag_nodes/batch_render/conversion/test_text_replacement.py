"""Dates, other nodes' values and random alternatives in texts."""

from __future__ import annotations

import random
from datetime import datetime

import pytest

from motionrag_nodes.batch_render.conversion.graphs import Graph
from motionrag_nodes.batch_render.conversion.nodes import Node
from motionrag_nodes.batch_render.conversion.text_replacement import choose_alternatives, fill_in
from motionrag_nodes.batch_render.conversion.widgets import Widget

_NOW = datetime(2026, 3, 4, 5, 6, 7)


@pytest.fixture
def graph() -> Graph:
    made = Graph()
    node = Node(id="1", type="KSampler", graph=made, title="Main sampler")
    node.properties["Node name for S&R"] = "Sampler"
    node.widgets = [Widget("seed", "whole number", 7), Widget("name", "text", "a/b:c")]
    made.add(node)
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%date:yyyy-MM-dd%", "2026-03-04"),
        ("%date:yy.M.d hh:mm:ss%", "26"),  # a dot ends it
        ("%date:yy-M-d hh_mm_ss%", "26-3-4 05_06_07"),
        ("%Sampler.seed%_%Main sampler.name%", "7_a_b_c"),
        ("%Sampler.gone% %Other.seed% %width%", "%Sampler.gone% %Other.seed% %width%"),
        ("100%", "100%"),
    ],
)
def test_placeholders(graph: Graph, text: str, expected: str) -> None:
    assert fill_in(text, graph, _NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {cat} /* not\nthis */on a mat // nor this\nnext", "a cat on a mat \nnext"),
        (r"\{kept\|as\} it is", "{kept|as} it is"),
        ("open {brace", "open brace"),
        ("ends with \\", "ends with \\undefined"),
    ],
)
def test_texts_without_a_choice(text: str, expected: str) -> None:
    assert choose_alternatives(text, random.Random(1)) == expected


def test_each_alternative_is_taken_sooner_or_later() -> None:
    chance = random.Random(3)
    seen = {choose_alternatives("{a|{b|c}|}", chance) for _ in range(200)}
    assert seen == {"a", "b", "c", ""}

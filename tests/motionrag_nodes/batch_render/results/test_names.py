"""Names of results, unique before the first job starts."""

from __future__ import annotations

from typing import Any

import pytest

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.results.names import NameTemplate, check_unique, node_names


def _graph(**titles: str) -> dict[str, dict[str, Any]]:
    return {i: {"class_type": "SaveImage", "inputs": {}, "_meta": {"title": t}} for i, t in titles.items()}


def test_the_default_names_job_node_and_index() -> None:
    (node,) = node_names(_graph(**{"9": "My Save"})).values()
    assert NameTemplate().path("cat", node, 2, ".png") == "cat/My_Save_2.png"
    assert NameTemplate().path("cat", node, 1, "") == "cat/My_Save_1"


def test_alike_titles_get_ids_and_stay_distinct() -> None:
    names = node_names(_graph(**{"2": "Out", "3": "out", "4:1": "Other", "5": "Out-2"}))
    titles = [node.title for node in names.values()]
    assert len({title.casefold() for title in titles}) == 4
    assert names["4:1"].id == "4-1"


@pytest.mark.parametrize(
    "text",
    [
        "{job}",
        "{node}_{n}.{ext}",
        "../{job}_{n}.{ext}",
        "/{job}_{n}.{ext}",
        "{job}_{n}.{ext}{x}",
        "{job:>9}_{n}.{ext}",
        "{",
    ],
)
def test_templates_that_cannot_name_results(text: str) -> None:
    with pytest.raises(RenderError, match="Expected --name-template as a path inside the output folder"):
        NameTemplate(text)


@pytest.mark.parametrize("text", ["{job}_{n}{n}.{ext}", "{job}_1{n}.{ext}", "{job}_{n}{node}.{ext}"])
def test_an_index_that_cannot_be_told_apart(text: str) -> None:
    with pytest.raises(RenderError, match="Expected one"):
        NameTemplate(text)


def test_a_template_must_tell_nodes_apart() -> None:
    nodes = list(node_names(_graph(**{"1": "A", "2": "B"})).values())
    with pytest.raises(RenderError, match=r"cat, node 1 and of cat, node 2 the same names: add \{node\}"):
        check_unique(NameTemplate("{job}_{n}.{ext}"), {"cat": nodes})
    check_unique(NameTemplate("{id}/{job}_{n}.{ext}"), {"cat": nodes, "dog": nodes})


def test_a_name_that_ends_in_a_number_may_not_meet_an_index() -> None:
    (node,) = node_names(_graph(**{"1": "A"})).values()
    with pytest.raises(RenderError, match=r"could give those of shot, node 1 and of shot1, node 1"):
        check_unique(NameTemplate("{job}{n}.{ext}"), {"shot": [node], "shot1": [node]})
    check_unique(NameTemplate("{job}_{n}.{ext}"), {"shot": [node], "shot_2": [node], "shot2": [node]})

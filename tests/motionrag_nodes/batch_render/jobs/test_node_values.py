"""Setting inputs by NODE.INPUT=VALUE."""

from __future__ import annotations

from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import NodeValueError
from motionrag_nodes.batch_render.jobs.node_values import (
    LocalFile,
    apply_values,
    parse_assignment,
    saved_local_files,
    typed_value,
)
from motionrag_nodes.batch_render.workflow_file import ApiGraph, read_workflow, to_api_graph
from tests.motionrag_nodes.batch_render.graphs import object_info, picture_to_picture, text_to_image, write_workflow


@pytest.fixture
def graph(tmp_path: Path) -> ApiGraph:
    return to_api_graph(read_workflow(write_workflow(tmp_path / "w.json", text_to_image())), object_info())


@pytest.fixture
def picture_graph(tmp_path: Path) -> ApiGraph:
    return to_api_graph(read_workflow(write_workflow(tmp_path / "p.json", picture_to_picture())), object_info())


def _set(graph: ApiGraph, tmp_path: Path, **values: str) -> ApiGraph:
    names = {name.replace("__", "."): text for name, text in values.items()}
    return apply_values(graph, names, object_info=object_info(), files_from=tmp_path)[0]


def test_nodes_by_id_title_and_class(graph: ApiGraph, tmp_path: Path) -> None:
    values = {"3.steps": "9", "Positive.text": "a=b, c.d", "EmptyLatentImage.width": "128"}
    changed, files = apply_values(graph, values, object_info=object_info(), files_from=tmp_path)
    assert changed["3"]["inputs"]["steps"] == 9
    assert changed["6"]["inputs"]["text"] == "a=b, c.d"
    assert changed["5"]["inputs"]["width"] == 128
    assert files == []
    assert graph["3"]["inputs"]["steps"] == 4


def test_a_value_replaces_a_connection(graph: ApiGraph, tmp_path: Path) -> None:
    graph["3"]["inputs"]["seed"] = ["5", 0]
    assert _set(graph, tmp_path, **{"3.seed": "5"})["3"]["inputs"]["seed"] == 5


def test_titles_may_hold_dots(graph: ApiGraph, tmp_path: Path) -> None:
    graph["5"]["_meta"]["title"] = "Size v1.5"
    assert _set(graph, tmp_path, **{"Size v1.5.height": "16"})["5"]["inputs"]["height"] == 16


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"99.seed": "1"}, r"Expected a node of the workflow, received '99'.*6 \(Positive, CLIPTextEncode\)"),
        ({"CLIPTextEncode.text": "x"}, r"class of several \(6, 7\)"),
        ({"3.sed": "1"}, "has no input 'sed'.*Did you mean 'seed'"),
        ({"3.seed": "one"}, "3.seed: Expected a whole number, received 'one'"),
        ({"3.seed": "1.5"}, "Expected a whole number"),
        ({"3.steps": "0"}, "3.steps: Expected 1 to 10000, received 0"),
        ({"3.cfg": "nan"}, "3.cfg: Expected 0.0 to 100.0"),
        ({"3.cfg": "much"}, "3.cfg: Expected a number"),
        ({"3.scheduler": "fast"}, "Expected one of its choices, received 'fast'. They are 'simple'"),
        ({"3.model": "sd"}, "Expected a connection of type MODEL, received a value"),
    ],
)
def test_wrong_values_say_what_was_expected(
    graph: ApiGraph, tmp_path: Path, values: dict[str, str], message: str
) -> None:
    with pytest.raises(NodeValueError, match=message):
        apply_values(graph, values, object_info=object_info(), files_from=tmp_path)


def test_switches() -> None:
    assert typed_value("yes", ["BOOLEAN", {}], name="n.i") is True
    assert typed_value("False", ["BOOLEAN", {}], name="n.i") is False
    with pytest.raises(NodeValueError, match="Expected true or false, received 'maybe'"):
        typed_value("maybe", ["BOOLEAN", {}], name="n.i")


def test_choices_keep_their_type() -> None:
    assert typed_value("8", [[4, 8, 16]], name="n.i") == 8
    assert typed_value("b", ["COMBO", {"options": ["a", "b"]}], name="n.i") == "b"


def test_local_pictures_are_found_beside_the_table(picture_graph: ApiGraph, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"cat")
    changed, files = apply_values(
        picture_graph, {"Picture.image": "cat.png"}, object_info=object_info(), files_from=tmp_path
    )
    assert files == [LocalFile(node_id="1", input_name="image", path=(tmp_path / "cat.png").resolve())]
    assert changed["1"]["inputs"]["image"] == str((tmp_path / "cat.png").resolve())


def test_a_picture_on_the_server_needs_no_upload(picture_graph: ApiGraph, tmp_path: Path) -> None:
    changed, files = apply_values(
        picture_graph, {"1.image": "example.png"}, object_info=object_info(), files_from=tmp_path
    )
    assert (changed["1"]["inputs"]["image"], files) == ("example.png", [])


def test_a_picture_that_is_nowhere(picture_graph: ApiGraph, tmp_path: Path) -> None:
    with pytest.raises(
        NodeValueError, match=r"a file on this machine or in ComfyUI's input folder, found none at 'dog\.png'"
    ):
        _set(picture_graph, tmp_path, **{"1.image": "dog.png"})


def test_files_saved_beside_the_workflow(picture_graph: ApiGraph, tmp_path: Path) -> None:
    picture_graph["1"]["inputs"]["image"] = "own.png"
    assert saved_local_files(picture_graph, object_info=object_info(), folder=tmp_path) == []
    (tmp_path / "own.png").write_bytes(b"own")
    (found,) = saved_local_files(picture_graph, object_info=object_info(), folder=tmp_path)
    assert found.path.name == "own.png"


@pytest.mark.parametrize("text", ["seed=7", "3.seed", "=", ""])
def test_assignments_of_another_form(text: str) -> None:
    with pytest.raises(NodeValueError, match=r"Expected --set NODE\.INPUT=VALUE, received"):
        parse_assignment(text)


def test_assignment_keeps_the_value_as_it_is() -> None:
    assert parse_assignment("My node.text= a = b ") == ("My node.text", " a = b ")

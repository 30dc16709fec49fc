"""What ComfyUI's answers mean, also where they are of another form than expected."""

from __future__ import annotations

from typing import Any

import pytest

from motionrag_nodes.batch_render.errors import JobFailed
from motionrag_nodes.batch_render.server.answers import PromptRun, ServerFile, read_end, refusal

GRAPH = {
    "1": {"class_type": "SaveImage", "inputs": {}, "_meta": {"title": "Good"}},
    "2": {"class_type": "X", "inputs": {}},
}


def _entry(outputs: Any, **more: Any) -> dict[str, Any]:
    return {"outputs": outputs, "status": {"status_str": "success", "messages": []}, **more}


def _file(name: Any, **more: Any) -> dict[str, Any]:
    return {"filename": name, "subfolder": "", "type": "output", **more}


def _read(entry: Any, **options: Any) -> PromptRun:
    run = PromptRun("p")
    read_end(run, entry, GRAPH, **options)
    return run


def test_files_and_texts() -> None:
    outputs = {"1": {"images": [_file("a.png", subfolder=None)], "animated": [True], "text": ["x"]}}
    run = _read(_entry(outputs))
    assert run.files == [ServerFile("1", "a.png", "", "output")]
    assert run.shown == {"1": {"text": ["x"]}}
    assert PromptRun.from_dict(run.as_dict()) == run


def test_values_that_json_cannot_hold_become_texts() -> None:
    assert _read(_entry({"2": {"value": [1.5, float("nan"), {"a": float("inf")}]}})).shown == {
        "2": {"value": [1.5, "nan", {"a": "inf"}]}
    }


def test_a_node_that_unfolds_stands_for_its_inner_ones() -> None:
    run = _read(_entry({"2.0.1": {"images": [_file("a.png")]}}, meta={"2.0.1": {"display_node": "2"}}))
    assert run.files[0].node_id == "2"


@pytest.mark.parametrize(
    "outputs", [None, [1, 2], {"1": None}, {"1": [1]}, {"1": {"images": [_file(None), _file(5), 3]}}]
)
def test_outputs_of_another_form_are_no_files(outputs: Any) -> None:
    assert _read(_entry(outputs)).files == []


@pytest.mark.parametrize("entry", [None, [], {}, {"outputs": {}, "status": None}])
def test_an_end_that_cannot_be_read(entry: Any) -> None:
    with pytest.raises(JobFailed, match="Expected the end of prompt p in the history, found none"):
        _read(entry)


def test_a_part_that_the_server_left_out_fails_the_job() -> None:
    queued = [1, "p", GRAPH, {}, ["1"]]
    _read(_entry({}, prompt=queued), accepted=frozenset({"1"}))
    with pytest.raises(JobFailed, match=r"Expected the whole workflow to run, but ComfyUI left out node 2 \(X\)"):
        _read(_entry({}, prompt=queued), accepted=frozenset({"1", "2"}))


def test_a_saving_node_without_a_file_fails_the_job() -> None:
    with pytest.raises(JobFailed, match=r"Expected saved files of node 1 \(Good\)"):
        _read(_entry({"2": {"images": [_file("preview.png")]}}), saving=frozenset({"1"}))


def test_cached_nodes_are_told_by_the_history_too() -> None:
    status = {"status_str": "success", "messages": [["execution_cached", {"nodes": ["1"]}]]}
    assert _read({"outputs": {}, "status": status}).cached_nodes == ["1"]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (
            [["execution_error", {"node_id": "1", "exception_message": "no\n", "exception_type": "E"}]],
            r"\(Good\) to run, but it failed; .*: no$",
        ),
        (
            [["execution_error", {"node_id": "1", "exception_type": "builtins.RuntimeError"}]],
            "but it failed; .*: RuntimeError",
        ),
        ([["execution_error", {"node_id": "1", "exception_message": "x" * 100000}]], r"x \.\.\.$"),
        ([["execution_interrupted", {"node_id": "2"}]], "interrupted it at node 2"),
        ([7, "x", ["a"]], "an error without saying which"),
        (None, "an error without saying which"),
    ],
)
def test_failures(messages: Any, text: str) -> None:
    with pytest.raises(JobFailed, match=text):
        _read({"status": {"status_str": "error", "messages": messages}})


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"node_errors": {"1": {"errors": [{"message": "bad", "details": "x"}]}}}, r"node 1 \(Good\): bad: x"),
        ({"error": {"message": "invalid"}}, "it refused \\(invalid\\)"),
        ({"error": "Too many"}, "Too many"),
        ([1], "unknown reason"),
        (None, "unknown reason"),
    ],
)
def test_refusals(answer: Any, text: str) -> None:
    with pytest.raises(JobFailed, match=text):
        raise refusal(answer, GRAPH)

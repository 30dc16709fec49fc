"""Values typed into saved workflows: the editor would send the same prompt for what the result's files carry."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.errors import WorkflowFileError
from motionrag_nodes.batch_render.jobs.plan import RenderJob, plan_jobs
from motionrag_nodes.batch_render.jobs.typed_workflow import TypedValue, TypedWorkflow, with_values
from motionrag_nodes.batch_render.workflow_file import (
    ObjectInfo,
    WorkflowFile,
    choices_of,
    input_specs,
    read_workflow,
    to_api_graph,
)
from tests.motionrag_nodes.batch_render.conversion.corpus import random_cases, self_made
from tests.motionrag_nodes.batch_render.graphs import object_info, text_to_image, write_workflow

_VALUES = {"INT": 77, "FLOAT": 0.5, "STRING": "typed", "BOOLEAN": True}


def _value(spec: list[Any]) -> Any:
    choices = choices_of(spec)
    return choices[-1] if choices else _VALUES.get(str(spec[0]))


def _tried(workflow: WorkflowFile, classes: ObjectInfo) -> tuple[int, int]:
    """How many inputs the workflow holds a value for, and for how many it has no place."""
    graph, typed_workflow = to_api_graph(workflow, classes), TypedWorkflow(workflow, classes)
    held = without = 0
    for node_id, node in graph.items():
        for name, spec in input_specs(node["class_type"], classes).items():
            value = _value(spec)
            if value is None or typed_workflow._settles:
                continue
            wanted = copy.deepcopy(graph)
            wanted[node_id]["inputs"][name] = value
            typed = typed_workflow.job(wanted, [(node_id, name)], {}).typed
            if typed is None:
                assert typed_workflow._loaded.place(node_id, name) is None
                without += 1
            else:  # job() has converted it again to be sure
                assert [item.value for item in typed] == [value]
                held += 1
    return held, without


def test_any_value_of_any_workflow_is_held_where_there_is_a_place_for_it() -> None:
    held = without = 0
    for case in [*self_made(), *random_cases()][::3]:
        try:
            counts = _tried(WorkflowFile(Path("case.json"), case.workflow, ui_form=True), case.object_info)
        except WorkflowFileError:
            continue
        held, without = held + counts[0], without + counts[1]
    assert held > 60
    assert without < held  # sockets, and fields in subgraphs that are used twice


def _plan(folder: Path, rows: str, workflow: dict[str, Any] | None = None) -> list[RenderJob]:
    (folder / "jobs.csv").write_text(rows)
    file = read_workflow(write_workflow(folder / "boat.json", workflow or text_to_image()))
    return plan_jobs([file], assignments=(), table=folder / "jobs.csv", object_info=object_info())


def _typed(job: RenderJob) -> dict[str, Any]:
    assert job.typed is not None
    carried = [TypedValue.from_dict(item.as_dict()) for item in job.typed]  # as an order carries them
    nodes = with_values(job.workflow.data, carried)["nodes"]
    return {str(node["id"]): node.get("widgets_values") for node in nodes}


def test_a_rows_values_stand_in_the_workflow(tmp_path: Path) -> None:
    first, second = _plan(tmp_path, "3.seed,Positive.text\n11,a ship\n12,\n")
    assert _typed(first)["3"] == [11, "randomize", 4, 6.5, "euler", "karras", 0.9]
    assert (_typed(first)["6"], _typed(second)["6"]) == (["a ship"], ["a boat"])
    assert first.workflow.data == text_to_image()


def test_a_field_that_was_connected_is_cut_off(tmp_path: Path) -> None:
    (case,) = [case for case in self_made() if case.name == "primitive"]
    workflow = WorkflowFile(tmp_path / "primitive.json", case.workflow, ui_form=True)
    graph = to_api_graph(workflow, case.object_info)
    fed = {
        (str(node["id"]), slot["name"])
        for node in case.workflow["nodes"]
        for slot in node.get("inputs", [])
        if slot.get("widget") and slot.get("link") is not None
    }
    node_id, name = sorted(fed)[0]
    graph[node_id]["inputs"][name] = _value(input_specs(graph[node_id]["class_type"], case.object_info)[name])
    typed = TypedWorkflow(workflow, case.object_info).job(graph, [(node_id, name)], {}).typed
    assert typed is not None
    slots = [slot for node in with_values(case.workflow, typed)["nodes"] for slot in node.get("inputs", [])]
    assert next(slot for slot in slots if slot["name"] == name)["link"] is None


def test_texts_of_rows_are_resolved_as_if_they_were_typed(tmp_path: Path) -> None:
    rows = 'Positive.text,3.seed,9.filename_prefix\n"a {red|blue|green} boat // mine",7,at %KSampler.seed%\n'
    (job,) = _plan(tmp_path, rows)
    text = job.graph["6"]["inputs"]["text"]
    assert text in {"a red boat ", "a blue boat ", "a green boat "}
    assert job.graph["9"]["inputs"]["filename_prefix"] == "at 7"
    assert _typed(job)["6"] == ["a {red|blue|green} boat // mine"]
    assert _plan(tmp_path, rows)[0].graph == job.graph


def test_rows_choose_each_for_itself(tmp_path: Path) -> None:
    workflow = text_to_image()
    workflow["nodes"][1]["widgets_values"] = ["{one|two|three|four} boats"]
    jobs = _plan(tmp_path, "3.seed\n" + "".join(f"{seed}\n" for seed in range(20)), workflow)
    assert len({job.graph["6"]["inputs"]["text"] for job in jobs}) > 2


def test_the_present_time_makes_no_other_job(tmp_path: Path) -> None:
    (job,) = _plan(tmp_path, "9.filename_prefix\n%date:yyyy-MM-dd hh-mm-ss%\n")
    assert job.undated is not None
    assert job.undated["9"]["inputs"]["filename_prefix"] == "2000-01-01 00-00-00"
    assert job.graph["9"]["inputs"]["filename_prefix"] != "2000-01-01 00-00-00"


def test_a_workflow_without_a_place_for_a_value_is_left_out() -> None:
    """A socket that takes a text holds none, so the files carry the prompt alone."""
    found = []
    for case in random_cases():
        workflow = WorkflowFile(Path("case.json"), case.workflow, ui_form=True)
        try:
            graph = to_api_graph(workflow, case.object_info)
        except WorkflowFileError:
            continue
        sockets = [node_id for node_id, node in graph.items() if node["class_type"] == "KeepText"]
        for node_id in sockets:
            graph[node_id]["inputs"]["text"] = "typed"
            found.append(TypedWorkflow(workflow, case.object_info).job(graph, [(node_id, "text")], {}).typed)
    assert found
    assert set(found) == {None}

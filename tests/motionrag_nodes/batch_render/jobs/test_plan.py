"""Expanding workflows and job tables into jobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import NodeValueError, RenderError
from motionrag_nodes.batch_render.jobs.fingerprint import fingerprint
from motionrag_nodes.batch_render.jobs.plan import RenderJob, plan_jobs
from motionrag_nodes.batch_render.workflow_file import read_workflow
from tests.motionrag_nodes.batch_render.graphs import object_info, picture_to_picture, text_to_image, write_workflow


def _plan(
    folder: Path, *, table: str | None = None, sets: tuple[str, ...] = (), names: tuple[str, ...] = ("boat",)
) -> list[RenderJob]:
    workflows = [read_workflow(write_workflow(folder / f"{name}.json", text_to_image())) for name in names]
    path = None
    if table is not None:
        path = folder / "jobs.csv"
        path.write_text(table, encoding="utf-8")
    return plan_jobs(workflows, assignments=sets, table=path, object_info=object_info())


def test_one_workflow_is_one_job_named_after_it(tmp_path: Path) -> None:
    (job,) = _plan(tmp_path, sets=("3.seed=5",))
    assert (job.name, job.graph["3"]["inputs"]["seed"], job.values) == ("boat", 5, {"3.seed": "5"})


def test_a_row_is_a_job_and_wins_over_set(tmp_path: Path) -> None:
    table = 'name,Positive.text,3.seed\nred one,"a red boat, at sea",11\n,,\n'
    first, second = _plan(tmp_path, table=table + "last,,12\n", sets=("3.seed=5", "3.steps=2"))
    assert (first.name, second.name) == ("red_one", "last")
    assert first.graph["6"]["inputs"]["text"] == "a red boat, at sea"
    assert second.graph["6"]["inputs"]["text"] == "a boat"
    assert [job.graph["3"]["inputs"]["seed"] for job in (first, second)] == [11, 12]
    assert first.graph["3"]["inputs"]["steps"] == 2


def test_rows_without_names_are_named_after_their_content(tmp_path: Path) -> None:
    names = [job.name for job in _plan(tmp_path, table="3.seed,3.steps\n1,2\n2,2\n", names=("boat", "ship"))]
    assert len(set(names)) == 4
    assert [name.rpartition("_")[0] for name in names] == ["boat", "boat", "ship", "ship"]
    sorted_anew = _plan(tmp_path, table="3.steps,3.seed\n2,7\n2,2\n2,1\n", names=("boat", "ship"))
    assert {job.name for job in sorted_anew} > set(names)


def test_equal_rows_without_names_are_counted(tmp_path: Path) -> None:
    first, second = _plan(tmp_path, table="3.seed\n1\n1\n")
    assert second.name == f"{first.name}-2"


def test_two_columns_for_one_input_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        NodeValueError, match=r"one value for input 'text' of node 6, received '6\.text' and 'Positive\.text'"
    ):
        _plan(tmp_path, table="6.text,Positive.text\na,b\n")
    with pytest.raises(NodeValueError, match="Expected one value for input"):
        _plan(tmp_path, table="6.text,Positive.text\na,\n,b\n")


def test_a_row_wins_over_set_whatever_either_calls_the_node(tmp_path: Path) -> None:
    (job,) = _plan(tmp_path, table="Positive.text\nred\n", sets=("6.text=blue",))
    assert job.graph["6"]["inputs"]["text"] == "red"
    assert job.values == {"Positive.text": "red"}


def test_doubled_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="Expected distinct names of jobs, received A"):
        _plan(tmp_path, table="name,3.seed\na,1\nA,2\n")


def test_a_problem_in_a_row_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(NodeValueError, match=r"jobs\.csv, line 3: 3\.seed: Expected a whole number"):
        _plan(tmp_path, table="3.seed\n1\nx\n")


def test_fingerprint_follows_what_makes_the_result(tmp_path: Path) -> None:
    (job,) = _plan(tmp_path)
    mark = fingerprint(job, comfyui_version="1")
    assert fingerprint(replace(job, name="other"), comfyui_version="1") == mark
    assert fingerprint(job, comfyui_version="2") != mark
    (changed,) = _plan(tmp_path, sets=("3.seed=8",))
    assert fingerprint(changed, comfyui_version="1") != mark


def test_fingerprint_follows_the_databases_that_the_job_names(tmp_path: Path) -> None:
    (job,) = _plan(tmp_path)
    graph = {**job.graph, "9": {"class_type": "MotionRAGLoadMotionDatabase", "inputs": {"database": "winter"}}}
    opens = replace(job, graph=graph)

    def mark(job, generations=None) -> str:
        return fingerprint(job, comfyui_version="1", generations=generations)

    assert mark(opens, {"winter": 3, "summer": 1}) == mark(opens, {"winter": 3, "summer": 2})
    assert mark(opens, {"winter": 3}) != mark(opens, {"winter": 4})
    assert mark(job, {"winter": 3}) == mark(job)


def test_fingerprint_follows_a_picture_s_content_not_its_path(tmp_path: Path) -> None:
    workflow = read_workflow(write_workflow(tmp_path / "p.json", picture_to_picture()))

    def mark(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        sets = (f"Picture.image={tmp_path / name}",)
        (job,) = plan_jobs([workflow], assignments=sets, table=None, object_info=object_info())
        return fingerprint(job, comfyui_version="1")

    assert mark("a.png", b"cat") == mark("b.png", b"cat")
    assert mark("a.png", b"dog") != mark("b.png", b"cat")

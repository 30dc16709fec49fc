"""Expanding workflows and job tables into jobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import JobTableError, NodeValueError, RenderError
from motionrag_nodes.batch_render.jobs.plan import RenderJob, fingerprint, plan_jobs, read_job_table
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


def test_names_without_a_name_column_and_with_several_workflows(tmp_path: Path) -> None:
    jobs = _plan(tmp_path, table="3.seed\n1\n2\n", names=("boat", "ship"))
    assert [job.name for job in jobs] == ["boat_001", "boat_002", "ship_001", "ship_002"]


def test_doubled_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="Several jobs are named A"):
        _plan(tmp_path, table="name,3.seed\na,1\nA,2\n")


def test_a_problem_in_a_row_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(NodeValueError, match=r"jobs\.csv, line 3: 3\.seed: expected a whole number"):
        _plan(tmp_path, table="3.seed\n1\nx\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("3.seed\n", "has no rows"),
        ("seed\n1\n", r"expected distinct columns of the form NODE\.INPUT.*Rename 'seed'"),
        ("3.seed,3.seed\n1,2\n", "Rename the doubled ones"),
        ("3.seed\n1,2\n", "line 2 has more cells than the header"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text(text)
    with pytest.raises(JobTableError, match=message):
        read_job_table(path)


def test_unreadable_tables(tmp_path: Path) -> None:
    with pytest.raises(JobTableError, match=r"Cannot read job table .*No such file"):
        read_job_table(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("3.seed\n\xe4\n".encode("latin-1"))
    with pytest.raises(JobTableError, match="is not a CSV table in UTF-8"):
        read_job_table(tmp_path / "latin.csv")


def test_excel_s_byte_order_mark_is_no_part_of_a_column(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_bytes(b"\xef\xbb\xbf3.seed\n1\n")
    assert read_job_table(tmp_path / "jobs.csv")[0].values == {"3.seed": "1"}


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

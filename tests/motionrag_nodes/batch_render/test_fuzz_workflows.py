"""200 mutated workflows, of editors and servers of whatever kind: each ends in a graph or in one clear sentence."""

import random
from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.jobs.table import read_job_table
from motionrag_nodes.batch_render.workflow_file import WorkflowFile, read_workflow, to_api_graph
from tests.motionrag_nodes.batch_render.graphs import object_info, picture_to_picture, text_to_image
from tests.mutations import as_json, limited, mutated, mutated_bytes

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("make", [text_to_image, picture_to_picture])
def test_mutated_workflows_end_in_a_graph_or_a_sentence(tmp_path: Path, make) -> None:
    generator, data, info = random.Random(make.__name__), make(), object_info()
    path, converted = tmp_path / "w.json", 0
    for _ in range(100):
        path.write_bytes(as_json(data, generator))
        try:
            with limited():
                graph = to_api_graph(read_workflow(path), info)
            converted += 1
            assert isinstance(graph, dict)
        except RenderError as error:
            assert str(path) in str(error)
    assert converted


def test_a_workflow_of_ours_with_mutated_descriptions_of_nodes(tmp_path: Path) -> None:
    """What a server says of its nodes is as little to be trusted as the file."""
    generator, info = random.Random(5), object_info()
    workflow = WorkflowFile(path=tmp_path / "w.json", data=text_to_image(), ui_form=True)
    for _ in range(60):
        changed = mutated(info, generator)
        if not isinstance(changed, dict) or not all(isinstance(node, dict) for node in changed.values()):
            continue  # refused where it comes in
        try:
            with limited():
                to_api_graph(workflow, changed)
        except RenderError as error:
            assert str(error)


TABLE = b"name,LoadImage.image,KSampler.seed\ncat,cat.png,1\ndog,dog.png,2\n"
LINES = b'{"name": "cat", "KSampler.seed": 1}\n{"name": "dog", "KSampler.seed": 2}\n'


@pytest.mark.parametrize(("suffix", "content"), [(".csv", TABLE), (".jsonl", LINES)])
def test_mutated_job_tables_end_in_rows_or_a_sentence(tmp_path: Path, suffix: str, content: bytes) -> None:
    generator, path = random.Random(suffix), tmp_path / f"jobs{suffix}"
    for _ in range(100):
        path.write_bytes(mutated_bytes(content, generator))
        try:
            with limited():
                read_job_table(path)
        except RenderError as error:
            assert str(path) in str(error) or path.name in str(error)

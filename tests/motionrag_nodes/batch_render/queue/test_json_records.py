"""The job store holds JSON alone: a pickle planted in a row is not opened."""

import base64
import pickle
import sqlite3
from pathlib import Path

import pytest
from dbos import _serialization

from motionrag_nodes.batch_render.queue import store as store_module
from motionrag_nodes.batch_render.queue.json_records import JsonRecords, forbid_pickles
from tests.motionrag_nodes.batch_render.graphs import picture_to_picture, write_workflow
from tests.motionrag_nodes.batch_render.rendering import render_on
from tests.motionrag_nodes.batch_render.tiny_comfyui import TinyComfyUI


class Marker:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_values_and_errors_come_back() -> None:
    records = JsonRecords()
    values = {"args": ({"a": [1, None, "x"]},), "kwargs": {}}
    assert records.deserialize(records.serialize(values)) == {"args": [{"a": [1, None, "x"]}], "kwargs": {}}
    error = records.deserialize(records.serialize(KeyError("gone")))
    assert isinstance(error, RuntimeError) and "KeyError: 'gone'" in str(error)
    with pytest.raises(TypeError, match="expected JSON or an error, received set"):
        records.serialize({1})


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    planted = base64.b64encode(pickle.dumps(Marker(tmp_path / "ran"))).decode()
    forbid_pickles()
    for read in (_serialization.deserialize_value, _serialization.deserialize_exception):
        with pytest.raises(ValueError, match="received a pickle, which could run code"):
            read(planted, "py_pickle", JsonRecords())
    with pytest.raises(ValueError, match="Expecting value"):
        JsonRecords().deserialize(planted)
    assert not (tmp_path / "ran").exists()


def test_pickles_planted_in_a_store_are_not_run(tmp_path: Path) -> None:
    """An output folder that came from somebody else, with its store of jobs."""
    (tmp_path / "server").mkdir()
    workflow = write_workflow(tmp_path / "w.json", picture_to_picture())
    with TinyComfyUI(tmp_path / "server") as server:
        report = render_on(server.url, workflow, tmp_path / "out")
        assert not report.failed, report.failed
        planted = base64.b64encode(pickle.dumps(Marker(tmp_path / "ran"))).decode()
        path = tmp_path / "out" / ".motionrag" / store_module.FILE_NAME
        with sqlite3.connect(path) as connection:
            rows = connection.execute("SELECT count(*) FROM workflow_status").fetchone()[0]
            connection.execute(
                "UPDATE workflow_status SET inputs=?, output=?, error=?, serialization='py_pickle', status='PENDING'",
                (planted, planted, planted),
            )
            connection.execute(
                "UPDATE operation_outputs SET output=?, error=?, serialization='py_pickle'", (planted, planted)
            )
        connection.close()
        assert rows
        (tmp_path / "out" / "manifest.json").unlink()
        render_on(server.url, workflow, tmp_path / "out")
    assert not (tmp_path / "ran").exists()

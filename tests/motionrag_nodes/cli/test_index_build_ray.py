"""`motionrag index build --engine ray`: on this machine alone, and what is said of a cluster that is not there."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index_builder.errors import EngineUnavailable
from motionrag_nodes.cli import index, index_options
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video

pytest.importorskip("ray", reason="needs the extra: pip install -e .[ray]")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setattr(index_options, "load_encoder", lambda pack, device="cpu": ProjectionEncoder())
    for seed in range(6):
        write_video(tmp_path / "v" / f"{seed}.mp4", seed=seed)

    def invoke(*arguments: object):
        given = ["build", tmp_path / "v", "--output", tmp_path / "db", *arguments]
        return CliRunner().invoke(index.app, [str(argument) for argument in given])

    return invoke


def test_ray_and_local_index_the_same_clips(run, tmp_path: Path) -> None:
    told = json.loads(run("--engine", "ray", "--ray-actors", 1, "--json").stdout)
    assert told["videos"] == {"found": 6, "indexed": 6, "skipped": 0, "failed": 0}
    again = json.loads(run("--json").stdout)
    assert again["videos"]["skipped"] == 6 == again["rows"] and (tmp_path / "db" / "report.html").is_file()


def test_a_cluster_that_is_not_there_is_named(run, tmp_path: Path) -> None:
    done = run("--engine", "ray", "--ray-address", "127.0.0.1:1")
    assert isinstance(done.exception, EngineUnavailable)
    assert "Expected a Ray cluster at 127.0.0.1:1" in str(done.exception) and not (tmp_path / "db").exists()

"""`motionrag index add` and the choices of build, as their users see them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index_builder.clips.timeline import DecodeLimits
from index_builder.database.search import certified_index
from index_builder.errors import DatabaseNotFound, RecallBelowTarget
from motionrag_nodes.cli import index, index_build_options, index_options, index_work
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_scenes, write_video


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index_options, "load_encoder", lambda pack, device="cpu": ProjectionEncoder())

    def invoke(*arguments: object):
        return CliRunner().invoke(index.app, [str(argument) for argument in arguments])

    return invoke


def test_add_takes_many_inputs_and_only_a_database_that_exists(run, tmp_path: Path) -> None:
    for seed, name in enumerate(("a/1.mp4", "b/2.mp4", "c/3.mp4", "c/4.avi")):
        write_video(tmp_path / name, seed=seed, codec="mpeg4" if name.endswith("avi") else "libx264")
    missing = run("add", tmp_path / "db", tmp_path / "a")
    assert isinstance(missing.exception, DatabaseNotFound) and not (tmp_path / "db").exists()
    assert run("build", tmp_path / "a", "-o", tmp_path / "db", "--workers", 1).exit_code == 0
    added = run("add", tmp_path / "db", tmp_path / "b" / "2.mp4", tmp_path / "c" / "*.mp4", "--workers", 1, "--json")
    assert json.loads(added.stdout)["videos"] == {"found": 2, "indexed": 2, "skipped": 0, "failed": 0}


def test_scenes_and_limits_reach_the_build(run, tmp_path: Path) -> None:
    write_scenes(tmp_path / "v" / "film.mp4", [(1, 30), (2, 30)])
    refused = run("build", tmp_path / "v", "-o", tmp_path / "x", "--max-pixels", 100, "--json")
    assert refused.exit_code == 2 and "over the limit of 100 pixels" in refused.stdout
    told = json.loads(run("build", tmp_path / "v", "-o", tmp_path / "db", "--scenes", "--workers", 1, "--json").stdout)
    assert told["clips"]["indexed"] == 2


def test_a_poor_index_shows_the_report_before_the_error(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certified_index, "FLAT_ROWS", 1)
    monkeypatch.setitem(certified_index.EFFORTS, "efSearch", ())
    for seed in range(3):
        write_video(tmp_path / "v" / f"{seed}.mp4", seed=seed)
    result = run("build", tmp_path / "v", "-o", tmp_path / "db", "--workers", 1, "--json")
    assert isinstance(result.exception, RecallBelowTarget)
    assert json.loads(result.stdout)["videos"]["indexed"] == 3


def test_the_options_defaults_are_those_of_the_library() -> None:
    limits = index_build_options.decode_limits(
        pixels=index_build_options.MAX_PIXELS,
        seconds=index_build_options.MAX_DECODE_SECONDS,
        memory_mib=index_build_options.MAX_MEMORY_MIB,
        hours=index_build_options.MAX_VIDEO_HOURS,
    )
    assert limits == DecodeLimits()
    assert index_work.DEFAULT_TARGET_RECALL == certified_index.DEFAULT_TARGET_RECALL

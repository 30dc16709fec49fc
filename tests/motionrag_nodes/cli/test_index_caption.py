"""`motionrag index caption` and `relocate`, as their users see them."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index_builder.build import build_database
from index_builder.errors import DatabaseMismatch
from motionrag_nodes.cli import index, index_options
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        index_options, "load_encoder", lambda pack, device="cpu": ProjectionEncoder(seed=int(pack == "other"))
    )

    def invoke(*arguments: object):
        return CliRunner().invoke(index.app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def database(tmp_path: Path) -> Path:
    write_video(tmp_path / "v" / "a.mp4", seed=1)
    write_video(tmp_path / "v" / "b.mp4", seed=2)
    build_database([tmp_path / "v"], output=tmp_path / "db", encoder=ProjectionEncoder(), workers=1)
    (tmp_path / "c.csv").write_text("path,motion\na.mp4,a dog runs\nnone.mp4,x\n")
    return tmp_path / "db"


def test_caption_dry_run_and_then_for_good(run, database: Path, tmp_path: Path) -> None:
    arguments = ("caption", database, tmp_path / "c.csv", "--caption-column", "motion")
    assert "1 clips would get another caption" in " ".join(run(*arguments, "--dry-run").stdout.split())
    shown = " ".join(run(*arguments).stdout.split())
    assert "(none) -> a dog runs" in shown and "1 clips got another caption, 0 had it already" in shown
    assert "2 rows, 1 matched, 0 ambiguous, 1 matching nothing" in shown
    told = json.loads(run(*arguments, "--json").stdout)
    assert told["changed"] == [] and told["same"] == 1 and told["table"]["unmatched"] == ["none.mp4"]


def test_caption_wants_the_pack_of_the_database(run, database: Path, tmp_path: Path) -> None:
    result = run("caption", database, tmp_path / "c.csv", "--caption-column", "motion", "--pack", "other")
    assert isinstance(result.exception, DatabaseMismatch)


def test_relocate(run, database: Path, tmp_path: Path) -> None:
    (tmp_path / "v" / "a.mp4").rename(tmp_path / "v" / "z.mp4")
    shown = " ".join(run("relocate", database, tmp_path / "v").stdout.split())
    assert "a.mp4 -> " in shown and "1 videos relocated, 1 are where they were, 0 not found" in shown
    (tmp_path / "v" / "b.mp4").unlink()
    told = json.loads(run("relocate", database, tmp_path / "v", "--json").stdout)
    assert [Path(source).name for source in told["missing"]] == ["b.mp4"]


def test_search_for_the_like_of_a_clip(run, database: Path, tmp_path: Path) -> None:
    found = json.loads(run("search", database, "--like", "a.mp4", "--json").stdout)
    assert [Path(item["source"]).name for item in found] == ["b.mp4"] and found[0]["motion_score"] == found[0]["score"]
    copy = shutil.copyfile(tmp_path / "v" / "b.mp4", tmp_path / "copy.mp4")  # two encodings may differ in a byte
    found = json.loads(run("search", database, "--like", copy, "--prompt", "a dog", "--json").stdout)
    # The copy has b.mp4's content, and a clip is never its own neighbour.
    assert [Path(item["source"]).name for item in found] == ["a.mp4"] and found[0]["text_score"] is not None
    refused = run("search", database, "--like", "a.mp4", "--mode", "text")
    assert "Expected no --mode, --diversity or --ignore-looks beside --like" in str(refused.exception)

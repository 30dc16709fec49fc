"""`motionrag database pack-up` and `index import`: out of one folder, into another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index_builder.build import build_database
from motionrag_nodes.cli.main import app
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video


def test_with_proxies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTIONRAG_STATE", str(tmp_path / "state"))
    write_video(tmp_path / "clips" / "a.mp4")
    build_database([tmp_path / "clips"], output=tmp_path / "db", encoder=ProjectionEncoder(), workers=1)
    monkeypatch.setenv("MOTIONRAG_STATE", str(tmp_path / "of another user"))
    words = ["--licence", "CC0-1.0", "--origin", "a camera", "--proxies"]
    arguments = ["database", "pack-up", str(tmp_path / "db"), *words, "--output"]
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "none.zip")])
    assert result.exit_code == 0 and "without a proxy: 1 clips" in result.stdout
    allowed = [*arguments, str(tmp_path / "db.zip"), "--allow-source", str(tmp_path / "clips"), "--json"]
    result = CliRunner().invoke(app, allowed)
    assert result.exit_code == 0 and json.loads(result.stdout)["without_proxy"] == []
    assert (tmp_path / "db.zip").stat().st_size > (tmp_path / "none.zip").stat().st_size


def test_from_person_to_person(tmp_path: Path) -> None:
    write_video(tmp_path / "clips" / "a.mp4")
    build_database([tmp_path / "clips"], output=tmp_path / "db", encoder=ProjectionEncoder(), workers=1)
    words = ["--licence", "CC0-1.0", "--origin", "a camera"]
    file, theirs = str(tmp_path / "db.zip"), str(tmp_path / "theirs")
    result = CliRunner().invoke(app, ["database", "pack-up", str(tmp_path / "db"), "--output", file, *words])
    assert result.exit_code == 0 and "1 clips" in result.stdout
    assert "licence: CC0-1.0; origin: a camera" in result.stdout
    result = CliRunner().invoke(app, ["index", "import", file, "--output", theirs, "--json"])
    assert result.exit_code == 0 and json.loads(result.stdout)["licence"] == "CC0-1.0"
    result = CliRunner().invoke(app, ["index", "verify", theirs])
    assert result.exit_code == 0, result.output

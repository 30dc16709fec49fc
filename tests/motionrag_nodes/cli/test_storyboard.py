"""`motionrag storyboard` with the packaged pack: a video of two parts, a sheet and figures."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from PIL import Image
from typer.testing import CliRunner

from index_builder.errors import InvalidSetting
from motionrag_nodes.checkpoints.find_models import PACKAGED_SAMPLES
from motionrag_nodes.cli.main import app

PICTURE = PACKAGED_SAMPLES / "input" / "motionrag_circle.png"
DATABASE = PACKAGED_SAMPLES / "databases" / "demo_world"


def run(board: str, tmp_path: Path, *options: str):
    (tmp_path / "board.txt").write_text(board, encoding="utf-8")
    arguments = [str(PICTURE), "--board", str(tmp_path / "board.txt"), "--database", str(DATABASE)]
    return CliRunner().invoke(app, ["storyboard", *arguments, "--output", str(tmp_path / "out"), *options])


def test_two_parts(tmp_path: Path) -> None:
    board = "1: a yellow circle moves to the right\n1: a yellow circle gets bigger\n"
    result = run(board, tmp_path, "--steps", "1", "--top-k", "2", "--device", "cpu", "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [(row["prompt"], row["first_frame"]) for row in rows] == [
        ("a yellow circle moves to the right", 0),
        ("a yellow circle gets bigger", 4),
    ]
    assert "seam" not in rows[0] and rows[1]["seam"] > 0 and rows[1]["within"] > 0
    assert json.loads((tmp_path / "out" / "storyboard.json").read_text()) == rows
    with av.open(str(tmp_path / "out" / "video.mp4")) as video, Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert video.streams.video[0].frames == 8 and sheet.width > 600


def test_the_board_is_checked_first(tmp_path: Path) -> None:
    result = run("it grows", tmp_path, "--pack", "nowhere")
    with pytest.raises(InvalidSetting, match="Expected lines of seconds, colon and words, received 'it grows'"):
        raise result.exception or AssertionError

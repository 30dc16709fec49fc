"""`motionrag compare` with the packaged pack: a sheet, a grid and a table; bad values are told before any work."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from PIL import Image
from typer.testing import CliRunner

from index_builder.build import build_database
from index_builder.errors import InvalidSetting
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.cli.main import app
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from tests.index_builder.sample_videos import picture, write_video


def test_what_if(tmp_path: Path) -> None:
    for seed, caption in enumerate(("a square moves right", "a square falls down")):
        write_video(tmp_path / "clips" / f"{seed}.mp4", seed=seed).with_suffix(".txt").write_text(caption)
    build_database([tmp_path / "clips"], output=tmp_path / "db", encoder=PackClipEncoder(load_pack("tiny")), workers=1)
    Image.fromarray(picture(0, size=(64, 64), seed=3)).save(tmp_path / "picture.png")
    arguments = [str(tmp_path / "picture.png"), "--database", str(tmp_path / "db"), "--prompt", "a square moves right"]
    options = ["--what-if", "a square falls down", "--backwards", "--steps", "1", "--top-k", "1", "--device", "cpu"]
    output = tmp_path / "out"
    result = CliRunner().invoke(app, ["compare", *arguments, *options, "--output", str(output), "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["title"] for row in rows] == ["no motion", "as found", "played backwards", "what if"]
    assert rows[0]["effect"] == 0 and rows[3]["note"] == "a square falls down"
    assert json.loads((output / "compare.json").read_text()) == rows
    with av.open(str(output / "grid.mp4")) as grid, Image.open(output / "sheet.webp") as sheet:
        assert (grid.streams.video[0].width, grid.streams.video[0].height) == sheet.size and sheet.n_frames == 8


def test_strengths_are_checked_first(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "none.png"), "--database", str(tmp_path), "--prompt", "x", "--strengths", "9"]
    result = CliRunner().invoke(app, ["compare", *arguments, "--output", str(tmp_path)])
    with pytest.raises(InvalidSetting, match="Expected strengths from 0 to 3"):
        raise result.exception or AssertionError

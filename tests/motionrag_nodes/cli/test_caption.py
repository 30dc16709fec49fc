"""`motionrag caption`, as its users see it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index_builder.captioning.captioner import PROMPT
from motionrag_nodes.cli.main import app
from tests.index_builder.captioning.local_server import serving
from tests.index_builder.captioning.tiny_model import write_tiny_model
from tests.index_builder.sample_videos import write_garbage, write_video


def run(*arguments: object):
    return CliRunner().invoke(app, ["caption", *map(str, arguments)])


def test_a_server_captions_a_folder_into_a_table(tmp_path: Path) -> None:
    write_video(tmp_path / "v" / "a.mp4")
    with serving("a square moves right") as server:
        asked = ("--endpoint", server.endpoint, "--model", "vl", "--prompt", "what moves?")
        done = run(tmp_path / "v", "-o", tmp_path / "captions.csv", *asked)
        assert done.exit_code == 0 and "1 captioned, 0 skipped, 0 failed" in done.stdout
        write_garbage(tmp_path / "v" / "b.mp4")
        again = run(tmp_path / "v", "-o", tmp_path / "captions.csv", *asked, "--json")
        assert again.exit_code == 1
        told = json.loads(again.stdout)
        assert len(told["skipped"]) == len(told["failed"]) == 1 and not told["captioned"]
    assert '"v/a.mp4","a square moves right","vl"' in (tmp_path / "captions.csv").read_text()
    assert server.asked[0][1]["messages"][0]["content"][-1]["text"] == "what moves?"


def test_a_model_of_this_machine_writes_beside_the_videos(tmp_path: Path) -> None:
    write_video(tmp_path / "v" / "a.mp4")
    model = write_tiny_model(tmp_path / "tiny-vl")
    done = run(tmp_path / "v", "--sidecars", "--model", model, "--max-tokens", "8", "--short-side", "64")
    assert done.exit_code in (0, 1) and "skipped" in done.stdout
    assert (tmp_path / "v" / "a.txt").exists() == (done.exit_code == 0)


def test_show_prompt() -> None:
    done = run("--show-prompt")
    assert done.exit_code == 0 and done.stdout.strip() == PROMPT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{v}", "--model", "m"], "Expected --output or --sidecars"),
        (["{v}", "--model", "m", "-o", "c.csv", "--sidecars"], "received none or both"),
        (["{v}", "-o", "c.csv"], "Expected --model"),
        (["--model", "m", "-o", "c.csv"], "Expected at least one folder or video"),
        (["{v}", "--model", "m", "-o", "c.csv", "--prompt", " "], "Expected a --prompt in words"),
    ],
)
def test_what_it_has_to_be_told(tmp_path: Path, arguments: list[str], message: str) -> None:
    write_video(tmp_path / "v" / "a.mp4")
    done = run(*(argument.format(v=tmp_path / "v") for argument in arguments))
    assert message in str(done.exception)

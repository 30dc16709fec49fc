"""`motionrag index` as its users see it: exit codes, tables, JSON, messages without traceback; with the tiny pack."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from index_builder.errors import MotionRAGError
from motionrag_nodes.cli import index, index_options
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import picture, write_garbage, write_video

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for seed, caption in enumerate(["a ball rolls right", "a kite falls", "a dog runs"]):
        write_video(folder / f"clip {seed} é.mp4", seed=seed).with_suffix(".txt").write_text(caption)
    write_garbage(folder / "garbage.mp4")
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    """Runs a command with the tests' encoder for a pack: what is tested here are the commands."""
    monkeypatch.setattr(index_options, "load_encoder", lambda pack, device="cpu": ProjectionEncoder())

    def invoke(*arguments: object):
        return CliRunner().invoke(index.app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def database(run, folder: Path, tmp_path: Path) -> Path:
    assert run("build", folder, "--output", tmp_path / "db", "--workers", 1).exit_code == 0
    return tmp_path / "db"


def test_build_tells_people_and_programs_the_same(run, folder: Path, tmp_path: Path) -> None:
    shown = run("build", folder, "--output", tmp_path / "a", "--workers", 1)
    assert shown.exit_code == 0
    flat = " ".join(shown.stdout.split())
    assert "garbage.mp4: not a readable video" in flat and "found" in flat
    told = json.loads(run("build", folder, "--output", tmp_path / "b", "--workers", 1, "--json").stdout)
    assert told["videos"] == {"found": 4, "indexed": 3, "skipped": 0, "failed": 1}
    again = json.loads(run("build", folder, "-o", tmp_path / "b", "--clips-per-video", "all", "--json").stdout)
    assert again["videos"] == {"found": 4, "indexed": 0, "skipped": 3, "failed": 1} and again["rows"] == 3


def test_search_by_prompt_image_and_both(run, database: Path, tmp_path: Path) -> None:
    found = json.loads(run("search", database, "--prompt", "a kite falls", "--top-k", 2, "--json").stdout)
    assert [item["rank"] for item in found] == [1, 2] and found[0]["caption"] == "a kite falls"
    Image.fromarray(picture(0, size=(64, 48), seed=2)).save(tmp_path / "q.png")
    by_image = json.loads(run("search", database, "-i", tmp_path / "q.png", "--json").stdout)
    assert by_image[0]["caption"] == "a dog runs" and by_image[0]["text_score"] is None
    both = json.loads(run("search", database, "-p", "a", "-i", tmp_path / "q.png", "--json").stdout)
    assert both[0]["frame_score"] == both[0]["score"] and both[0]["text_score"] is not None
    rest = json.loads(
        run("search", database, "-p", "a", "--exclude", "clip 0 é", "--exclude", "clip 1 é", "--json").stdout
    )
    assert [item["caption"] for item in rest] == ["a dog runs"]


def test_search_shows_a_table_and_writes_a_sheet(run, database: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "out" / "sheet.png"
    shown = run("search", database, "--prompt", "a kite falls", "--diversity", 0.5, "--sheet", sheet)
    assert shown.exit_code == 0 and "kite" in shown.stdout
    assert np.asarray(Image.open(sheet)).shape[2] == 3


def test_inspect_and_verify(run, database: Path) -> None:
    assert "fixed projection 0 (32)" in run("inspect", database).stdout
    told = json.loads(run("inspect", database, "--json").stdout)
    assert (told["clips"], told["captioned"], told["videos"]) == (3, 3, 3)
    sound = run("verify", database)
    assert sound.exit_code == 0 and "sound: 3 clips" in sound.stdout
    path = next((database / "segments").glob("*/rows.arrow"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    damaged = run("verify", database)
    assert damaged.exit_code == 1 and "rows.arrow" in damaged.stdout and "1 problems" in damaged.stdout
    told = run("verify", database, "--json")
    assert told.exit_code == 1 and json.loads(told.stdout)["sound"] is False


def test_nothing_readable_at_all_is_exit_code_2(run, tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    write_garbage(tmp_path / "v" / "garbage.mp4")
    done = run("build", tmp_path / "v", "--output", tmp_path / "db", "--workers", 1)
    assert done.exit_code == 2 and "all failed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "nowhere", "--output", "db"], "does not exist"),
        (["build", "{folder}", "--output", "db", "--captions", "nowhere.csv"], "is no file"),
        (["build", "{folder}", "--output", "db", "--clips-per-video", "some"], "at least 1 or all"),
        (["build", "{folder}", "--output", "{folder}"], "holds other files"),
        (["search", "nowhere", "--prompt", "x"], "Expected a database folder"),
        (["search", "{database}"], "received none"),
        (["search", "{database}", "--image", "{folder}/garbage.mp4"], "cannot be read"),
        (["search", "{database}", "--prompt", "x", "--sheet", "x.gif"], "a .png or .jpg"),
        (["inspect", "{folder}"], "found no manifest"),
        (["verify", "nowhere"], "found no manifest"),
    ],
)
def test_bad_input_is_an_expected_error(run, folder: Path, database: Path, arguments: list[str], message: str) -> None:
    done = run(*(argument.format(folder=folder, database=database) for argument in arguments))
    assert isinstance(done.exception, MotionRAGError) and message in str(done.exception)


def program(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "motionrag_nodes.cli.main", "index", *map(str, arguments)]


def test_the_program_answers_bad_input_without_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        program("build", tmp_path / "nowhere", "--output", tmp_path / "db"), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2 and "does not exist" in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_tiny_pack_builds_is_interrupted_goes_on_and_searches(folder: Path, tmp_path: Path) -> None:
    """The whole program with the real pack, Ctrl-C included."""
    videos = tmp_path / "videos"
    shutil.copytree(folder, videos)
    for seed in range(10, 30):
        write_video(videos / f"{seed}.mp4", seed=seed)
    build = program("build", videos, "--output", tmp_path / "db", "--workers", 1, "--batch", 1, "--json")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # two torch threads on a busy machine wait for each other
    process = subprocess.Popen(
        build, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    while not list((tmp_path / "db" / ".builders").glob("*.lock")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    # Python ends itself by the signal where the interrupt passed through an exec of text, as dataclasses do while they
    # are imported, whatever exit code is asked for: to a shell both are 130.
    assert process.returncode in (130, -signal.SIGINT), stderr
    assert "What was committed" in stderr and "run the same command to go on" in " ".join(stderr.split())
    before = json.loads(stdout)["videos"]["indexed"] if stdout else 0
    assert before < 23
    again = CliRunner().invoke(index.app, ["build", str(videos), "--output", str(tmp_path / "db"), "--json"])
    rest = json.loads(again.stdout)
    assert before + rest["videos"]["indexed"] == rest["rows"] == 23
    found = CliRunner().invoke(index.app, ["search", str(tmp_path / "db"), "--prompt", "a kite falls", "--json"])
    assert len(json.loads(found.stdout)) == 9

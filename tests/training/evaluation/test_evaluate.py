"""The whole command at its smallest: one step, few clips; what was done is not done again."""

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from rich.console import Console

from training.demo_world.world import render_clip
from training.evaluation.__main__ import main
from training.evaluation.comparison import Line, write_comparison
from training.evaluation.evaluate import FEWEST_CLIPS, evaluate_pack
from training.evaluation.held_frames.small import Chain
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.protocol.references import find_neighbours, row_tokens
from training.evaluation.protocol.rows import ROWS, Row
from training.evaluation.scores.order import run_from_the_end
from training.evaluation.tables.report import figures_tables, targets_table
from training.evaluation.videos.generation import generate_batches
from training.evaluation.videos.store import VideoStore

ROOT = Path(__file__).resolve().parents[3]


ENVIRONMENT = {**os.environ, "COLUMNS": "200"}
COMMAND = (sys.executable, "-m", "motionrag_nodes.cli.main", "evaluate")
PATIENCE_SEC = 300


def run(*arguments: str | Path) -> subprocess.CompletedProcess:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def kill_at_first_video(arguments: list[str], folder: Path) -> list[psutil.Process]:
    """Start the command, kill it and nothing else once a process made a video; returns the processes it had started."""
    command = [sys.executable, "-m", "training.evaluation", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + PATIENCE_SEC
        while not list(folder.rglob("videos/base/*.png")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    return children


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rows that need no database, measured by the command after an earlier run of it was killed."""
    folder = tmp_path_factory.mktemp("evaluation")
    arguments = ["--rows", "base,own,codec", "--clips", FEWEST_CLIPS, "--steps", 1, "--workers", 2, "--output", folder]
    arguments = [str(argument) for argument in arguments]
    children = kill_at_first_video(arguments, folder)
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_SEC)
    assert not alive
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert "path" in done.stdout
    assert "at most 25 %" in done.stdout
    return folder


def test_command_writes_figures_with_intervals_and_a_plot(output: Path) -> None:
    written = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert list(written["rows"]) == ["base", "own", "codec"]
    for row in written["rows"].values():
        assert set(row["figures"]) == {
            "accuracy", "trajectory", "displacement", "size", "order", "action", "frechet", "seconds", "appearance",
            "first_frame", "shape_first", "shape_middle", "shape_last", "colour_first", "colour_middle", "colour_last",
        }  # fmt: skip
        assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in row["figures"].values())
        assert len(row["of_clips"]["trajectory"]) == FEWEST_CLIPS
    assert written["settings"]["steps"] == 1
    assert [target["claim"].split(",")[0].split(":")[0] for target in written["targets"]] == [
        "motion right without", "codec alone", "codec alone"
    ]  # fmt: skip
    assert Image.open(output / "evaluation.png").width > 600
    table = (output / "evaluation.md").read_text(encoding="utf-8")
    assert "| the target's own motion: the upper bound | " in table
    assert " ± " in table
    assert "shape IoU, last frame" in table


def test_codec_alone_shows_the_real_clips_as_the_codec_gives_them_back(output: Path) -> None:
    rows = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))["rows"]
    coded = {name: figure["value"] for name, figure in rows["codec"]["figures"].items()}
    assert coded["accuracy"] == 100
    assert coded["displacement"] == pytest.approx(1, abs=0.02)
    assert coded["trajectory"] < 0.5
    # One denoising step makes no clear picture.
    assert coded["shape_last"] > rows["own"]["figures"]["shape_last"]["value"]
    assert coded["colour_last"] < rows["own"]["figures"]["colour_last"]["value"]
    [strip] = output.rglob("videos/codec/0000.png")
    case = draw_cases("seen", 1)[0]
    real = np.concatenate(list(case.real(size=64, frames=8)), axis=1)
    assert np.abs(np.asarray(Image.open(strip).convert("RGB")).astype(int) - real).mean() < 10


def test_videos_are_not_generated_again_and_a_missing_one_comes_back_alike(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sorted(output.rglob("videos/*/*.png"), reverse=True)  # of row "own" first
    assert len(made) == 3 * FEWEST_CLIPS
    before = {path: path.stat().st_mtime_ns for path in made}
    kept = np.asarray(Image.open(made[0]).convert("RGB")).astype(int)
    made[0].unlink()
    asked: list[int] = []

    def counting(batches, **rest) -> None:
        asked.extend(len(batch.numbers) for batch in batches)
        generate_batches(batches, **rest)

    monkeypatch.setattr("training.evaluation.videos.videos.generate_batches", counting)
    done = evaluate_pack(
        "tiny", output=output, clips=FEWEST_CLIPS, rows=["own", "codec", "base"], steps=1, console=Console(quiet=True)
    )
    assert asked == [1]
    assert list(done.rows) == ["base", "own", "codec"]
    assert np.abs(np.asarray(Image.open(made[0]).convert("RGB")) - kept).max() <= 1
    assert all(path.stat().st_mtime_ns == before[path] for path in made[1:])
    shown = Console(record=True, width=200, file=io.StringIO())
    shown.print(*figures_tables(done.rows, title="title"), targets_table(done.targets))
    assert "motion right without" in shown.export_text()
    assert VideoStore(done.videos).has("own", FEWEST_CLIPS - 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "base,rga"], "Expected rows of base, rag, .* received rga"),
        (["--clips", "2"], "Expected at least 8 clips, received 2"),
        (["--real", "somewhere"], "Expected --real and --generated together"),
        (["--steps", "0"], "Expected at least 1 step and 1 worker, received 0"),
        (["--pack", "/nowhere"], "received /nowhere"),
    ],
)
def test_bad_input_ends_with_code_2_and_says_what_to_do(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["motionrag evaluate", *arguments, "--output", str(tmp_path)])
    for name in ("OMP_WAIT_POLICY", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    with pytest.raises(SystemExit, match="2"):
        main()
    assert re.search(message, " ".join(capsys.readouterr().err.split()))
    assert not list(tmp_path.iterdir())


def test_rows_take_their_references_from_where_they_say(chain: Chain) -> None:
    cases, databases = draw_cases("seen", 2), {"world": chain.database}
    by_name = {row.name: row for row in ROWS}

    def tokens(row: Row):
        return row_tokens(row, cases, encoder=chain.encoder, databases=databases, size=64)

    assert tokens(by_name["base"]) is None
    own = tokens(by_name["own"])
    assert own.shape[0] == 2
    errors = {name: float(((tokens(by_name[name]) - own) ** 2).mean()) for name in ("rag", "random")}
    assert errors["rag"] < errors["random"]
    best = find_neighbours(by_name["top-1"], cases[0], encoder=chain.encoder, database=chain.database)
    assert (tokens(by_name["top-1"])[0] == best.motion_tokens[0]).all()
    drawn = [find_neighbours(by_name["random"], cases[0], encoder=chain.encoder, database=chain.database) for _ in "ab"]
    assert [item.row_id for item in drawn[0].items] == [item.row_id for item in drawn[1].items]
    assert len({item.row_id for item in drawn[0].items}) == 9


def test_references_played_backwards_ask_for_the_opposite_way(chain: Chain) -> None:
    row = next(row for row in ROWS if row.name == "backwards")
    cases = draw_cases(row.cases, 4)
    adapted = row_tokens(row, cases, encoder=chain.encoder, databases={"world": chain.database}, size=64)
    wanted, wrong = (
        chain.encoder.motion_tokens([render_clip(spec, size=64) for spec in specs])
        for specs in ([case.spec for case in cases], [run_from_the_end(case.spec) for case in cases])
    )
    nearer = ((adapted - wanted) ** 2).mean((1, 2)) < ((adapted - wrong) ** 2).mean((1, 2))
    assert nearer.all()


def test_comparison_is_written_as_a_still_and_an_animation(tmp_path: Path) -> None:
    clips = [case.real(size=64, frames=8) for case in draw_cases("unseen objects", 2)]
    lines = [Line("a star that does something long enough to be wrapped", clip, clip[::-1], clip) for clip in clips]
    write_comparison(lines, tmp_path / "docs" / "evaluation", fps=4)
    still, moving = (Image.open(tmp_path / "docs" / f"evaluation.{suffix}") for suffix in ("png", "webp"))
    assert moving.n_frames == 8
    assert still.width > moving.width
    assert still.height == moving.height


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--offload", "model"], "Expected the offload none on a CPU, .*received model"),
        (["--precision", "float16"], "Expected float32 or bfloat16 on a CPU, received float16"),
        (["--device", "cuda:77"], "Expected --device auto or one of cpu.*received cuda:77"),
    ],
)
def test_a_machine_that_cannot_do_it_is_refused_at_once(options, message, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["evaluate", "--device", "cpu", *options])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert re.search(message, capsys.readouterr().err)

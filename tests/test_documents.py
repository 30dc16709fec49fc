"""Documents tell no fairy tales: every command in them is one that the program knows, and is run here or elsewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from PIL import Image
from typer.testing import CliRunner

from motionrag_nodes.cli import index_options
from motionrag_nodes.cli.main import PASSED_ON, app
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "training/*.md") for path in ROOT.glob(pattern)
)
INDEXING = ("README.md", "docs/indexing.md")

# What needs a server, a network, a cluster or minutes is run by these.
RUN_BY = {
    "motionrag caption": "tests/motionrag_nodes/cli/test_caption.py",
    "motionrag calibrate": "tests/motionrag_nodes/adapted_tokens/test_calibration.py",
    "motionrag compare": "tests/motionrag_nodes/cli/test_compare.py",
    "motionrag convert": "tests/motionrag_nodes/cli/test_convert.py",
    "motionrag database": "tests/motionrag_nodes/cli/test_share.py",
    "motionrag doctor": "tests/motionrag_nodes/cli/test_doctor.py",
    "motionrag evaluate": "tests/training/evaluation/test_evaluate.py",
    "motionrag fetch": "tests/motionrag_nodes/fetch/test_make_pack.py",
    "motionrag index": "tests/test_documents.py",
    "motionrag render": "tests/motionrag_nodes/cli/test_render.py",
    "motionrag render-worker": "tests/motionrag_nodes/batch_render/queue/test_workers.py",
    "motionrag storyboard": "tests/motionrag_nodes/cli/test_storyboard.py",
    "motionrag train": "tests/training/test_stages.py",
    "motionrag workflow": "tests/motionrag_nodes/cli/test_workflow.py",
}


def commands_of(document: Path) -> Iterator[list[str]]:
    """Commands in indented or fenced blocks, lines joined, without remarks."""
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = [line for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    for line in [line.strip() for line in text.splitlines() if line.startswith("    ")] + fenced:
        if re.match(r"(motionrag|make|python|torchrun)\s", line):
            yield shlex.split(line, comments=True)


COMMANDS = [
    pytest.param(command, id=f"{document.relative_to(ROOT).as_posix()}: {' '.join(command)[:60]}")
    for document in DOCUMENTS
    for command in commands_of(document)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_documents_is_known(command: list[str]) -> None:
    if command[0] == "motionrag":
        check_motionrag(command[1:])
        assert (ROOT / RUN_BY[f"motionrag {command[1]}"]).exists()
    elif command[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = re.findall(r"^([a-z-]+):", makefile, re.M)
        variables = re.findall(r"^([A-Z_]+) *\?=", makefile, re.M)
        assert {word for word in command[1:] if "=" not in word} <= set(targets)
        assert {word.split("=")[0] for word in command[1:] if "=" in word} <= set(variables)
    else:
        check_module(command)


def check_motionrag(arguments: list[str]) -> None:
    """Every option is one of the command's, and there are as many arguments as it takes."""
    tree = command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert arguments[0] in command.commands, f"no command {arguments[0]}"
        command, arguments = command.commands[arguments[0]], arguments[1:]
    if command.name in PASSED_ON:
        check_module(["python", "-m", PASSED_ON[command.name], *arguments])
        return
    options = {name: each for each in (*tree.params, *command.params) for name in (*each.opts, *each.secondary_opts)}
    given, rest = [], list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and len(word) > 1:
            name, _, value = word.partition("=")
            assert name in options, f"no option {name}"
            if not value and not getattr(options[name], "is_flag", False):
                rest.pop(0)
        else:
            given.append(word)
    places = [each for each in command.params if each.param_type_name == "argument"]
    assert sum(each.required for each in places) <= len(given)
    assert any(each.nargs == -1 for each in places) or len(given) <= len(places)


def check_module(command: list[str]) -> None:
    """`python -m NAME` is a module of the checkout, and the options stand in its code."""
    name = command[command.index("-m") + 1]
    if command[0] == "torchrun" and name == "--":
        name = command[command.index("--") + 1]
    path = ROOT.joinpath(*name.split("."))
    file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    assert file.exists(), f"no module {name}"
    code = file.read_text(encoding="utf-8")
    own = command[command.index(name) + 1 :]
    for option in [word.partition("=")[0] for word in own if word.startswith("--") and len(word) > 2]:
        assert f'"{option}"' in code, f"no option {option} in {file}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_links_to_is_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the documents name, in a folder where their commands run."""
    folder = tmp_path_factory.mktemp("documents")
    names = ["FOLDER/a.mp4", "FOLDER/b.mp4", "films/x/c.mkv", "more_clips/d.mp4", "one_more.mp4", "bad_takes/e.mp4"]
    for seed, name in enumerate(names):
        write_video(folder / name, seed=seed)
    for seed in range(90):  # so that a tenth of them answers a search
        write_video(folder / f"more_clips/{seed}.mp4", frames=6, fps=3, seed=seed)
    write_video(folder / "films/bad_takes/f.mkv", seed=9)
    shutil.copytree(folder / "FOLDER", folder / "MY_VIDEOS")
    shutil.copytree(folder / "films", folder / "new_place")
    lines = ["path,caption", "a.mp4,a ball rolls", "b.mp4,a kite falls", "c.mkv,a cat jumps"]
    (folder / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_the_commands_about_databases_run_as_written(
    videos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In their order, page by page, with the tests' encoder for a pack."""
    monkeypatch.setattr(index_options, "load_encoder", lambda pack, device="cpu": ProjectionEncoder())
    shutil.copytree(videos, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    written = [
        command
        for name in INDEXING
        for command in commands_of(ROOT / name)
        if command[0] == "motionrag" and command[1] in ("index", "database") and "ray" not in command
    ]
    assert len(written) > 15
    for command in written:
        if "OTHER" in command and not Path("OTHER").exists():
            shutil.copytree("models/motion_databases/winter_sports", "OTHER")
        result = CliRunner().invoke(app, command[1:])
        assert result.exit_code == 0, (command, result.output[-600:], result.exception)
    for name in ("found.png", "samples.png", "atlas.png"):
        Image.open(name).verify()
    assert Path("clips.parquet").stat().st_size and os.listdir("BOTH")

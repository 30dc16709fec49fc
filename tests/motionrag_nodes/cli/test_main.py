"""The program's manners: version, how much it says, help that shows every word, no torch before it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from rich.text import Text
from typer.testing import CliRunner

from motionrag_nodes.cli import terminal
from motionrag_nodes.cli.main import app, manners_first

ROOT = Path(__file__).resolve().parents[3]


def commands(command, path: str = "motionrag"):
    """(path, command) of the whole tree."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{path} {name}")


def test_version_and_completion() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert shown.exit_code == 0 and shown.stdout.startswith("motionrag ") and shown.stdout.count("\n") == 1
    assert "--install-completion" in CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout


@pytest.mark.parametrize(
    "given, sent",
    [
        (["index", "verify", "DB", "-q"], ["-q", "index", "verify", "DB"]),
        (["index", "--verbose", "verify", "DB"], ["--verbose", "index", "verify", "DB"]),
        (["index", "build", "--", "-q"], ["index", "build", "--", "-q"]),
        (["-v", "evaluate", "-q"], ["-v", "evaluate", "-q"]),
        ([], []),
    ],
)
def test_how_much_is_said_may_be_told_anywhere(given: list[str], sent: list[str]) -> None:
    assert manners_first(given) == sent


def test_quiet_silences_progress_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.silence_progress(True)
    try:
        terminal.Console(stderr=True).print("progress")
        terminal.Console(stderr=True, always=True).print("error")
        terminal.Console().print("result")
    finally:
        terminal.silence_progress(False)
    assert capsys.readouterr() == ("result\n", "error\n")


def test_no_word_of_the_help_is_taken_for_markup() -> None:
    tree = list(commands(typer.main.get_command(app)))
    assert len(tree) > 20
    for path, command in tree:
        for parameter in command.params:
            text = getattr(parameter, "help", None) or ""
            assert Text.from_markup(text).plain == text.replace(r"\[", "["), (path, parameter.name, text)


def test_help_waits_for_no_torch() -> None:
    code = "import sys, motionrag_nodes.cli.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0

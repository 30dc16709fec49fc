"""The program `motionrag`: joins the commands and turns expected errors into a message and exit code 2."""

from __future__ import annotations

import errno
import importlib.metadata
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.logging import RichHandler

from index_builder.errors import MotionRAGError
from motionrag_nodes.cli.calibrate import calibrate
from motionrag_nodes.cli.caption import caption
from motionrag_nodes.cli.compare import compare
from motionrag_nodes.cli.convert import convert
from motionrag_nodes.cli.doctor import doctor
from motionrag_nodes.cli.fetch import fetch
from motionrag_nodes.cli.index import app as index_app
from motionrag_nodes.cli.render import render
from motionrag_nodes.cli.render_worker import render_worker
from motionrag_nodes.cli.sample_demo import sample_demo
from motionrag_nodes.cli.share import app as database_app
from motionrag_nodes.cli.storyboard import storyboard
from motionrag_nodes.cli.terminal import Console, escape, prepare_streams, silence_progress
from motionrag_nodes.cli.workflow import app as workflow_app

EXIT_BAD_INPUT = 2
_CHECKOUT = Path(__file__).resolve().parents[2]
# What a disk may answer to a write, which no longer says of which file.
_OF_A_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG}
# How much is said may be told anywhere on the line, not only before the command.
MANNERS = {"-v", "--verbose", "-q", "--quiet"}
# Commands that are programs of the checkout, which read their own options.
PASSED_ON = {"demo": "training.demo", "train": "training", "evaluate": "training.evaluation"}
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    name="motionrag",
    help="Motion looked up in your own clips, for image-to-video: build databases, render workflows, convert weights.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(index_app, name="index", help="Build, search, change and check motion databases.")
app.add_typer(database_app, name="database", help="Pass motion databases on to others.")
app.add_typer(workflow_app, name="workflow", help="Look at and convert saved ComfyUI workflows.")
app.command()(caption)
app.command()(render)
app.command()(compare)
app.command()(storyboard)
app.command()(fetch)
app.command()(render_worker)
app.command()(convert)
app.command()(calibrate)
app.command()(doctor)


class CheckoutNeeded(MotionRAGError):
    """A command needs the repository's training/ folder, which an installed package does not carry."""


def _has_checkout() -> bool:
    return (_CHECKOUT / "training").is_dir()


def _run_from_checkout(module: str, arguments: list[str]) -> None:
    """Training imports everything and nothing imports training: its programs run as processes of their own."""
    if not _has_checkout():
        raise CheckoutNeeded(
            f"Expected training/ beside the package in {_CHECKOUT}, but an installed package does not carry it: "
            "clone the repository and install it with pip install -e."
        )
    paths = os.pathsep.join(filter(None, [str(_CHECKOUT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", module, *arguments]
    raise typer.Exit(subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False).returncode)


@app.command(context_settings=PASS_ON)
def demo(context: typer.Context) -> None:
    """Make a database and videos from scratch, in a checkout the clips too. Options: motionrag demo --help."""
    if _has_checkout():
        _run_from_checkout(PASSED_ON["demo"], context.args)
    else:
        sample_demo(context.args)


@app.command(context_settings=PASS_ON)
def train(context: typer.Context) -> None:
    """Train the tiny pack (needs a checkout). Options: motionrag train --help."""
    _run_from_checkout(PASSED_ON["train"], context.args)


@app.command(context_settings=PASS_ON)
def evaluate(context: typer.Context) -> None:
    """Measure a pack, or any videos against real ones (needs a checkout). Options: motionrag evaluate --help."""
    _run_from_checkout(PASSED_ON["evaluate"], context.args)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"motionrag {importlib.metadata.version('motionrag')}")
        raise typer.Exit


@app.callback()
def configure(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show what the libraries below report. May stand anywhere.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only results and errors: no progress, no notes. May stand anywhere.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version, and exit.")
    ] = False,
) -> None:
    """Set up logging on stderr, so that stdout stays for results."""
    silence_progress(quiet)
    level = logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    handler = RichHandler(console=Console(stderr=True, always=True), show_path=False)
    logging.basicConfig(level=level, format="%(message)s", handlers=[handler])


def main() -> None:
    """Entry point of the console script."""
    prepare_streams()
    try:
        app(args=manners_first(sys.argv[1:]))
    except MotionRAGError as error:
        _say(str(error))
    except BrokenPipeError:
        # Whoever read this has enough; what is left unsaid must not fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(EXIT_BAD_INPUT) from None
    except OSError as error:
        if error.filename is None and error.errno not in _OF_A_DISK:
            raise  # not about a file that the user named
        place = "there" if error.filename is None else error.filename
        _say(f"Expected to read or write {place}, received {error}: check the path, its permissions and its disk.")
    except MemoryError:
        _say("Expected enough memory for this, but the system gave none: free some, or take less at a time.")


def manners_first(arguments: Sequence[str]) -> list[str]:
    """The line with -v and -q before the command, where Typer looks for them.

    What stands after `--`, and what is passed on to a program of the checkout, is left alone.
    """
    own = len(arguments)
    for place, argument in enumerate(arguments):
        if argument == "--" or argument in PASSED_ON:
            own = place
            break
    before = [argument for argument in arguments[:own] if argument in MANNERS]
    return [*before, *(each for each in arguments[:own] if each not in MANNERS), *arguments[own:]]


def _say(problem: str) -> NoReturn:
    Console(stderr=True, always=True).print(f"[bold red]Error:[/] {escape(problem)}", soft_wrap=True)
    raise SystemExit(EXIT_BAD_INPUT)


if __name__ == "__main__":
    main()

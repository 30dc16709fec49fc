"""`motionrag index build`: videos into a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from index_builder.errors import EngineUnavailable, RecallBelowTarget
from motionrag_nodes.cli import index_options
from motionrag_nodes.cli.devices import chosen_device
from motionrag_nodes.cli.index_build_options import Device, Inputs, Page, takes_build_settings
from motionrag_nodes.cli.index_options import AsJson, Pack
from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    from index_builder.build_report import BuildProgress, BuildReport, ProgressCallback
    from index_builder.engines.engine import Engine
    from index_builder.engines.ray_engine import RayEngine

EXIT_NOTHING_INDEXED = 2
EXIT_INTERRUPTED = 130
SHOWN_REASONS = 20


class EngineName(str, Enum):
    """What runs the workers: processes of this machine, or actors on a Ray cluster."""

    local = "local"
    ray = "ray"


@takes_build_settings
def build(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the database; extended if it exists.")],
    settings: dict[str, Any],
    pack: Pack = "tiny",
    device: Device = "auto",
    engine: Annotated[EngineName, typer.Option("--engine", help="What decodes and encodes.")] = EngineName.local,
    ray_address: Annotated[
        str | None,
        typer.Option("--ray-address", help=r"Ray cluster: auto, or host:port. \[default: this machine alone]"),
    ] = None,
    ray_actors: Annotated[int | None, typer.Option("--ray-actors", help=r"\[default: as many as fit]")] = None,
    ray_cpus: Annotated[float, typer.Option("--ray-cpus", help="CPUs (and decode processes) of each actor.")] = 1.0,
    ray_gpus: Annotated[float, typer.Option("--ray-gpus", help="GPUs of each actor; may be a fraction.")] = 0.0,
    page: Page = None,
    as_json: AsJson = False,
) -> None:
    """Index videos into a database. A build that was stopped continues where it was.

    A video of the same content as an earlier one is skipped, and so is one that was removed from the database.
    Exit code: 0 done, 2 bad input or nothing could be indexed, 130 interrupted.
    """
    ray = {"address": ray_address, "actors": ray_actors, "cpus": ray_cpus, "gpus": ray_gpus}
    run_build(inputs, output, pack, settings, page, as_json, device=device, engine=engine, ray=ray)


def run_build(
    inputs: list[Path],
    output: Path,
    pack: str,
    settings: dict[str, Any],
    page: Path | None,
    as_json: bool,
    *,
    device: str,
    engine: EngineName = EngineName.local,
    ray: dict[str, Any] | None = None,
) -> None:
    """Builds with `settings` (arguments of `build_database`), shows progress and report, and sets the exit code."""
    from index_builder.build import build_database
    from index_builder.captions.table import read_table
    from index_builder.clips.archives import archives_in
    from index_builder.clips.find import find_videos

    console = Console(stderr=True)
    # Both are cheap and fail early, before an encoder is loaded for nothing.
    plan = settings["captions"]
    if plan.table is not None:
        read_table(plan.table, caption_column=plan.column)
    if not archives_in(inputs):
        find_videos(inputs)
    page = page or output / "report.html"
    try:
        with _engine(engine, pack, ray or {}) as chosen, _progress_bar(console) as progress:
            # Where a cluster encodes, this process only asks the encoder for its names and sizes.
            encodes = chosen_device(device) if chosen is None else "cpu"
            encoder = index_options.load_encoder(pack, device=encodes)
            report = build_database(
                inputs, output=output, encoder=encoder, progress=progress, engine=chosen, **settings
            )
    except KeyboardInterrupt:
        _say_interrupted(console, output)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except RecallBelowTarget as error:
        # All rows are committed: what became of the videos is told all the same.
        if error.report is not None:
            _tell(error.report, page, as_json, console)
        raise
    if report.rows:
        from index_builder.database.search.reader import MotionDatabase

        index_options.say_what_is_unlike(encoder, database=MotionDatabase.open(report.database))
    _tell(report, page, as_json, console)


def _tell(report: BuildReport, page: Path | None, as_json: bool, console: Console) -> None:
    """Shows the report, writes its page, and ends with the exit code that it deserves."""
    if as_json:
        print_json(report.as_dict())
    else:
        _show_report(report, Console())
    if report.rows and page is not None:
        _write_page(page, report, console)
    if report.interrupted:
        _say_interrupted(console, Path(report.database))
        raise typer.Exit(EXIT_INTERRUPTED)
    if report.rows == 0:
        console.print("[bold red]Error:[/] Expected at least one readable video, but all failed: see above.")
        raise typer.Exit(EXIT_NOTHING_INDEXED)


@contextmanager
def _engine(name: EngineName, pack: str, settings: dict[str, Any]) -> Iterator[Engine | None]:
    """None for the local one, which is the build's default."""
    if name is EngineName.local:
        yield None
        return
    engine = _ray_engine(pack, settings)
    try:
        yield engine
    finally:
        engine.close()


def _ray_engine(pack: str, settings: dict[str, Any]) -> RayEngine:
    """Connects first: a cluster that cannot be reached is told before an encoder is loaded for nothing."""
    try:
        from index_builder.engines.ray_engine import RayEngine, RaySettings
    except ImportError as error:
        raise EngineUnavailable(
            f"Expected Ray for --engine ray, found none ({error}): pip install 'motionrag[ray]' on every node."
        ) from error
    # A folder is looked up on every node, from wherever its processes run.
    place = str(Path(pack).absolute()) if Path(pack).is_dir() else pack
    device = "cuda" if settings["gpus"] else "cpu"
    return RayEngine(partial(index_options.load_encoder, place, device=device), RaySettings(**settings))


@contextmanager
def _progress_bar(console: Console) -> Iterator[ProgressCallback]:
    """A bar with counts, rate and time left, on stderr."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("loading", total=None, counts="")

        def update(progress: BuildProgress) -> None:
            speed = bar.tasks[0].speed
            counted = ("indexed", "skipped", "failed")
            parts = [f"{speed:.1f} videos/s"] if speed else []
            parts += [f"{getattr(progress, name)} {name}" for name in counted if getattr(progress, name)]
            bar.update(
                task,
                description=progress.phase,
                total=progress.found_videos,
                # Skipped videos take no time; what waits to be committed is work done.
                completed=min(progress.found_videos, progress.done_videos + progress.indexed - progress.committed),
                counts=" ".join(parts),
            )

        yield update


def _write_page(path: Path, report: BuildReport, console: Console) -> None:
    from index_builder.database.search.reader import MotionDatabase
    from index_builder.report.build_page import write_build_page

    write_build_page(path, MotionDatabase.open(report.database), report)
    console.print(f"report: {escape(str(path))}", soft_wrap=True)


def _say_interrupted(console: Console, output: Path) -> None:
    console.print(
        f"Interrupted. What was committed to {escape(str(output))} stays; run the same command to go on.",
        soft_wrap=True,
    )


def _show_report(report: BuildReport, console: Console) -> None:
    """Counts, then the reasons; not those that go without saying."""
    from index_builder.build_report import ALREADY_INDEXED, INTERRUPTED
    from index_builder.captions.counts import caption_lines

    table = Table(title=escape(report.database))
    for heading in ("", "videos", "clips"):
        table.add_column(heading, justify="left" if not heading else "right")
    for outcome in ("indexed", "skipped", "failed"):
        table.add_row(outcome, str(report.videos(outcome)), str(len(getattr(report, outcome))))
    table.add_section()
    table.add_row("found", str(report.found_videos), "")
    table.add_row("in the database", "", str(report.rows))
    console.print(table)
    for outcome, colour in (("failed", "red"), ("skipped", "yellow")):
        entries = [entry for entry in getattr(report, outcome) if entry.reason not in (ALREADY_INDEXED, INTERRUPTED)]
        for entry in entries[:SHOWN_REASONS]:
            console.print(f"[{colour}]{outcome}[/] {escape(entry.source)}: {escape(entry.reason)}", soft_wrap=True)
        if len(entries) > SHOWN_REASONS:
            console.print(f"… and {len(entries) - SHOWN_REASONS} more {outcome}; --json lists all")
    for doubtful, line in caption_lines(report.captions, database=report.database):
        console.print(escape(line), style="yellow" if doubtful else None, soft_wrap=True, highlight=False)
    console.print(f"{report.seconds:.1f} s, generation {report.generation}")

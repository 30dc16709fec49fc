"""`motionrag index`: builds, searches, inspects and verifies motion databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from index_builder.errors import InvalidSetting

if TYPE_CHECKING:
    from index_builder.build_report import BuildProgress, BuildReport, ProgressCallback
    from index_builder.features.clip_encoder import ClipEncoder
    from motionrag_nodes.neighbours.neighbours import Neighbours

EXIT_DAMAGED = 1
EXIT_NOTHING_INDEXED = 2
EXIT_INTERRUPTED = 130
SHOWN_REASONS = 20

app = typer.Typer(no_args_is_help=True)
Database = Annotated[Path, typer.Argument(help="Folder of the motion database.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a report for programs on stdout.")]
Pack = Annotated[str, typer.Option("--pack", help="Motion pack that encodes: a name, or a folder.")]


class SearchMode(str, Enum):
    """What a search compares."""

    text = "text"
    image = "image"
    text_then_image = "text_then_image"


def load_encoder(pack: str) -> ClipEncoder:
    """The clip encoder of a pack, by name or folder."""
    from motionrag_nodes.checkpoints.pack import load_pack
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

    return PackClipEncoder(load_pack(pack))


@app.command()
def build(
    inputs: Annotated[list[Path], typer.Argument(help="Folders of videos (searched recursively) or videos.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the database; extended if it exists.")],
    captions: Annotated[
        Path | None,
        typer.Option("--captions", help="Table (.csv, .parquet) with the columns path and caption; else .txt files."),
    ] = None,
    pack: Pack = "tiny",
    workers: Annotated[int | None, typer.Option("--workers", help="Decode processes. [default: one per CPU]")] = None,
    clips_per_video: Annotated[
        str, typer.Option("--clips-per-video", help="Clips cut from each longer video: a number, or all.")
    ] = "1",
    batch: Annotated[int, typer.Option("--batch", help="Clips encoded at a time.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Bring videos into a database. A build that was stopped goes on where it was.

    Exit code: 0 done, 2 bad input or nothing could be indexed, 130 interrupted.
    """
    from index_builder.build import build_database
    from index_builder.clips.captions import load_captions
    from index_builder.clips.find import find_videos

    console = Console(stderr=True)
    count = _clips_per_video(clips_per_video)
    # Both are cheap and fail early, before an encoder is loaded for nothing.
    load_captions(captions)
    find_videos(inputs)
    try:
        encoder = load_encoder(pack)
        with _progress_bar(console) as progress:
            report = build_database(
                inputs,
                output=output,
                encoder=encoder,
                captions=captions,
                workers=workers,
                clips_per_video=count,
                batch_clips=batch,
                progress=progress,
            )
    except KeyboardInterrupt:
        _say_interrupted(console, output)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    else:
        _show_report(report, Console())
    if report.interrupted:
        _say_interrupted(console, output)
        raise typer.Exit(EXIT_INTERRUPTED)
    if report.rows == 0:
        console.print("[bold red]Error:[/] expected at least one readable video, all failed: see the reasons above")
        raise typer.Exit(EXIT_NOTHING_INDEXED)


@app.command()
def search(
    database: Database,
    prompt: Annotated[str | None, typer.Option("--prompt", "-p", help="The motion, in words.")] = None,
    image: Annotated[Path | None, typer.Option("--image", "-i", help="Picture to compare first frames with.")] = None,
    mode: Annotated[
        SearchMode | None, typer.Option("--mode", help="[default: by what is given; both: text_then_image]")
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many clips.")] = 9,
    min_score: Annotated[float, typer.Option("--min-score", help="Least similarity, -1 to 1.")] = -1.0,
    diversity: Annotated[float, typer.Option("--diversity", help="0 most similar, towards 1 more varied.")] = 0.0,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Row id, path, file name or stem to leave out. Repeatable.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Write a contact sheet (.png or .jpg).")] = None,
    pack: Pack = "tiny",
    as_json: AsJson = False,
) -> None:
    """Find the clips whose motion fits a prompt, a picture or both."""
    from index_builder.database.reader import MotionDatabase
    from motionrag_nodes.neighbours.contact_sheet import contact_sheet
    from motionrag_nodes.neighbours.retrieve import retrieve_neighbours

    if prompt is None and image is None:
        raise InvalidSetting("expected --prompt or --image, received neither: say what to look for")
    if sheet is not None and sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise InvalidSetting(f"expected a .png or .jpg file for --sheet, received {sheet}: rename it")
    opened = MotionDatabase.open(database)
    picture = _read_picture(image) if image is not None else None
    given = SearchMode.image if prompt is None else SearchMode.text if image is None else SearchMode.text_then_image
    found = retrieve_neighbours(
        opened,
        encoder=load_encoder(pack),
        prompt=prompt,
        image=picture,
        mode=(mode or given).value,
        top_k=top_k,
        min_score=min_score,
        diversity=diversity,
        exclude=exclude or (),
    )
    if sheet is not None:
        from PIL import Image

        sheet.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(contact_sheet(found)).save(sheet)
    if as_json:
        typer.echo(json.dumps(_listed(found), indent=2, ensure_ascii=False))
    else:
        _show_neighbours(found, Console())


@app.command()
def inspect(database: Database, as_json: AsJson = False) -> None:
    """Show what a database holds."""
    from index_builder.database.reader import MotionDatabase
    from index_builder.database.summary import summarise

    summary = summarise(MotionDatabase.open(database))
    if as_json:
        typer.echo(json.dumps(summary.as_dict(), indent=2, ensure_ascii=False))
        return
    table = Table(title=escape(str(database)), show_header=False)
    for name, value in summary.as_dict().items():
        if name == "size_bytes":
            value = {part: _readable_size(size) for part, size in value.items()}
        shown = ", ".join(f"{key}: {entry}" for key, entry in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), escape(shown))
    Console().print(table)


@app.command()
def verify(database: Database, as_json: AsJson = False) -> None:
    """Hash and read everything again. Exit code: 0 sound, 1 damaged, 2 no database."""
    from index_builder.database.verify import verify_database

    console = Console(stderr=True)
    with console.status("verifying") as status:
        report = verify_database(database, on_file=lambda path: status.update(f"verifying {escape(path)}"))
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    else:
        out = Console()
        for note in report.notes:
            out.print(f"[dim]note: {escape(note)}[/]", soft_wrap=True)
        for problem in report.problems:
            out.print(f"[red]damaged:[/] {escape(problem)}", soft_wrap=True)
        verdict = "[green]sound[/]" if report.sound else f"[red]{len(report.problems)} problems[/]"
        size = _readable_size(report.bytes_checked)
        out.print(f"{verdict}: {report.rows} clips, {report.files_checked} files, {size} read")
    if not report.sound:
        raise typer.Exit(EXIT_DAMAGED)


def _clips_per_video(given: str) -> int | None:
    if given == "all":
        return None
    if not given.isdecimal() or int(given) < 1:
        raise InvalidSetting(
            f"expected a number of at least 1 or all for --clips-per-video, received {given}: correct it"
        )
    return int(given)


def _read_picture(path: Path):
    """uint8 RGB [H, W, 3]."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        return np.asarray(Image.open(path).convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InvalidSetting(f"expected a picture in {path}, but it cannot be read ({error}): check --image") from error


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
            parts = [f"{speed:.1f}/s"] if speed else []
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


def _say_interrupted(console: Console, output: Path) -> None:
    console.print(
        f"Interrupted. What was committed to {escape(str(output))} stays; run the same command to go on.",
        soft_wrap=True,
    )


def _show_report(report: BuildReport, console: Console) -> None:
    """Counts, then the reasons; not those that go without saying."""
    from index_builder.build_report import ALREADY_INDEXED, INTERRUPTED

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
    console.print(f"{report.seconds:.1f} s, generation {report.generation}")


def _listed(found: Neighbours) -> list[dict[str, object]]:
    names = ("rank", "row_id", "score", "text_score", "frame_score", "caption", "source", "start_sec", "end_sec")
    return [{name: getattr(item, name) for name in names} for item in found.items]


def _show_neighbours(found: Neighbours, console: Console) -> None:
    table = Table()
    for heading in ("rank", "score", "caption", "video", "seconds"):
        table.add_column(heading, justify="right" if heading in ("rank", "score") else "left", overflow="fold")
    for item in found.items:
        span = f"{item.start_sec:.2f}-{item.end_sec:.2f}"
        table.add_row(str(item.rank), f"{item.score:.3f}", escape(item.caption or ""), escape(item.source), span)
    console.print(table)


def _readable_size(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"

"""`motionrag database pack-up` and `motionrag index import`: motion databases from person to person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motionrag_nodes.cli.index_options import AsJson, Database
from motionrag_nodes.cli.index_work import counting_bars
from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    from index_builder.database.maintain.share import SharedReport

app = typer.Typer(no_args_is_help=True)

AllowSource = Annotated[
    list[Path] | None,
    typer.Option("--allow-source", help="Folder whose videos may be read too (for --proxies). Repeatable."),
]


@app.callback()
def group() -> None:
    """Pass motion databases on to others."""


@app.command("pack-up")
def pack_up(
    database: Database,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .zip file to write; it must not exist yet.")],
    licence: Annotated[
        str, typer.Option("--licence", help="Licence under which others may use it, for instance CC-BY-4.0.")
    ],
    origin: Annotated[str, typer.Option("--origin", help="Where the clips come from: an address, or in words.")],
    proxies: Annotated[
        bool,
        typer.Option("--proxies", help="With a small copy of each clip (256 pixels, 16 frames a second, no sound)."),
    ] = False,
    allow_source: AllowSource = None,
    as_json: AsJson = False,
) -> None:
    """Write a database into one file for others: captions, thumbnails, embeddings and motion, without the videos.

    It names no folder of this machine and holds no removed clips. With --proxies, others can also see the clips and
    use their frames; then it does not name the videos either.
    """
    from index_builder.clips.allowed_folders import AllowedFolders
    from index_builder.database.maintain.share import pack_up as packed_up

    allowed = AllowedFolders.of_user(allow_source or ()) if proxies else None
    with counting_bars("copying", *(["making proxies"] if proxies else [])) as (copying, *making):
        report = packed_up(
            database,
            output,
            licence=licence,
            origin=origin,
            proxies=allowed,
            progress=copying,
            making_proxies=making[0] if making else None,
        )
    _show(report, as_json)


def import_database(
    file: Annotated[Path, typer.Argument(help="The file that motionrag database pack-up wrote.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the database; it must not exist yet.")],
    as_json: AsJson = False,
) -> None:
    """Unpack somebody else's database after checking all of it. This reads no video and runs nothing.

    motionrag index merge brings its clips into a database of yours; index relocate finds those of its videos that you
    have.
    """
    from index_builder.database.maintain.share import import_shared

    with counting_bars("unpacking") as (progress,):
        report = import_shared(file, output, progress=progress)
    _show(report, as_json)


def _show(report: SharedReport, as_json: bool) -> None:
    from index_builder.report.facts import readable_size

    if as_json:
        print_json(report.as_dict())
        return
    lines = [
        f"{escape(report.path)}: {report.rows} clips, {readable_size(report.size_bytes)}",
        f"licence: {escape(report.licence)}; origin: {escape(report.origin)}",
    ]
    if report.without_proxy:
        count = len(report.without_proxy)
        lines.append(f"without a proxy: {count} clips, the first: {escape(report.without_proxy[0])}")
    for line in lines:
        Console().print(line, soft_wrap=True, highlight=False)

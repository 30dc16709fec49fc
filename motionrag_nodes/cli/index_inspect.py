"""`motionrag index inspect`: what a database holds, in numbers and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from index_builder.errors import InvalidSetting
from motionrag_nodes.cli.index_options import AsJson, Database

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


def inspect(
    database: Database,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Write sample clips with captions (.png or .jpg).")
    ] = None,
    atlas: Annotated[
        Path | None, typer.Option("--atlas", help="Write a map of the clips by their motion (.png or .jpg).")
    ] = None,
    samples: Annotated[int, typer.Option("--samples", help="How many clips the sheet shows.")] = 12,
    as_json: AsJson = False,
) -> None:
    """Show what a database holds: counts, encoders, recall of its search, disk by part; as pictures, if you like."""
    from index_builder.database.maintain.summary import summarise
    from index_builder.database.search.reader import MotionDatabase
    from index_builder.report.atlas import draw_atlas
    from index_builder.report.facts import describe
    from index_builder.report.sample_sheet import draw_sample_sheet

    _check_suffix("--sheet", sheet)
    _check_suffix("--atlas", atlas)
    opened = MotionDatabase.open(database)
    summary = summarise(opened)
    if as_json:
        typer.echo(json.dumps(summary.as_dict(), indent=2, ensure_ascii=False))
    else:
        table = Table(title=escape(str(database)), show_header=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in describe(summary):
            table.add_row(name, escape(value))
        Console().print(table)
    if sheet is not None:
        _save(draw_sample_sheet(opened, count=samples), sheet)
    if atlas is not None:
        _save(draw_atlas(opened), atlas)


def _check_suffix(option: str, path: Path | None) -> None:
    if path is not None and path.suffix.lower() not in PICTURE_SUFFIXES:
        raise InvalidSetting(f"expected a .png or .jpg file for {option}, received {path}: rename it")


def _save(picture, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)

"""`motionrag index inspect`: what a database holds, in numbers and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from motionrag_nodes.cli.index_options import AsJson, Database
from motionrag_nodes.cli.picture_file import check_picture_file, save_picture
from motionrag_nodes.cli.terminal import Console, escape, print_json


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

    check_picture_file(sheet, "--sheet")
    check_picture_file(atlas, "--atlas")
    opened = MotionDatabase.open(database)
    summary = summarise(opened)
    if as_json:
        print_json(summary.as_dict())
    else:
        table = Table(title=escape(str(database)), show_header=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in describe(summary):
            table.add_row(name, escape(value))
        Console().print(table)
    if sheet is not None:
        save_picture(draw_sample_sheet(opened, count=samples), sheet, "--sheet")
    if atlas is not None:
        save_picture(draw_atlas(opened), atlas, "--atlas")

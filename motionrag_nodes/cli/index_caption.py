"""`motionrag index caption|relocate`: what is indexed gets other captions, or its videos other places."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motionrag_nodes.cli import index_options
from motionrag_nodes.cli.devices import chosen_device
from motionrag_nodes.cli.index_build_options import (
    CaptionColumn,
    Device,
    Inputs,
    Several,
    SeveralCaptions,
    caption_plan,
)
from motionrag_nodes.cli.index_options import AsJson, Database, Pack
from motionrag_nodes.cli.index_work import DEFAULT_TARGET_RECALL, DryRun, TargetRecall, counting_bars, index_plan
from motionrag_nodes.cli.terminal import Console, escape, print_json

SHOWN = 20


def caption(
    database: Database,
    table: Annotated[Path, typer.Argument(help="Caption table, as index build --captions takes it.")],
    caption_column: CaptionColumn = None,
    several_captions: SeveralCaptions = Several.first,
    pack: Pack = "tiny",
    device: Device = "auto",
    target_recall: TargetRecall = DEFAULT_TARGET_RECALL,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give indexed clips the captions of a table. No video is opened, and tokens stay as they are."""
    from index_builder.captions.counts import caption_lines
    from index_builder.database.maintain.recaption import recaption_database
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.neighbours.retrieve import check_encoder

    captions = caption_plan(table, caption_column, several_captions)
    opened = MotionDatabase.open(database)
    encoder = index_options.load_encoder(pack, device=chosen_device(device))
    check_encoder(opened, encoder, mode="text")
    with counting_bars("encoding", "indexing") as (progress, indexing):
        plan = index_plan(target_recall=target_recall, progress=indexing)
        report = recaption_database(database, captions, encoder=encoder, plan=plan, dry_run=dry_run, progress=progress)
    if as_json:
        print_json(report.as_dict())
        return
    console = Console()
    for row in report.changed[:SHOWN]:
        console.print(f"{row.row_id} {escape(row.source)}", soft_wrap=True, highlight=False)
        before = escape(row.before) if row.before else "(none)"
        console.print(f"  [dim]{before}[/] -> {escape(row.after)}", soft_wrap=True, highlight=False)
    if len(report.changed) > SHOWN:
        console.print(f"… and {len(report.changed) - SHOWN} more; --json lists all")
    for doubtful, line in caption_lines(report.table, database=report.database):
        console.print(escape(line), style="yellow" if doubtful else None, soft_wrap=True, highlight=False)
    would = "would get" if dry_run else "got"
    console.print(
        f"{len(report.changed)} clips {would} another caption, {report.same} had it already, the table names "
        f"{report.unnamed} not; generation {report.generation}",
        soft_wrap=True,
    )


def relocate(
    database: Database,
    inputs: Inputs,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Find videos that were moved or renamed by their content, and store where they are now.

    Looks for those that are gone from where they were, in the folders that are named.
    """
    from index_builder.database.maintain.relocate import relocate_videos

    with counting_bars("reading") as (progress,):
        report = relocate_videos(database, inputs, dry_run=dry_run, progress=progress)
    if as_json:
        print_json(report.as_dict())
        return
    console = Console()
    for video in report.moved[:SHOWN]:
        console.print(f"{escape(video.before)} -> {escape(video.after)}", soft_wrap=True, highlight=False)
    if len(report.moved) > SHOWN:
        console.print(f"… and {len(report.moved) - SHOWN} more; --json lists all")
    for source in report.missing[:SHOWN]:
        console.print(f"[yellow]missing[/] {escape(source)}", soft_wrap=True, highlight=False)
    if len(report.missing) > SHOWN:
        console.print(f"… and {len(report.missing) - SHOWN} more missing; --json lists all")
    would = "would be " if dry_run else ""
    console.print(
        f"{len(report.moved)} videos {would}relocated, {report.present} are where they were, {len(report.missing)} "
        f"not found; generation {report.generation}",
        soft_wrap=True,
    )

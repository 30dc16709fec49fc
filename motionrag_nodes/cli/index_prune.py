"""`motionrag index prune`: a database of few clips that stand for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from motionrag_nodes.cli.index_options import AsJson, Database
from motionrag_nodes.cli.index_work import DryRun, counting_bars
from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    from index_builder.database.maintain.prune import PruneReport


def prune(
    database: Database,
    keep: Annotated[float, typer.Option("--keep", help="Share of the clips to keep, 0 to 1, e.g. 0.1.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Keep the clips that matter most for retrieval: those that cover all others in words, pictures and motion.

    Shows first what 10, 25 and 50 % would keep. restore brings the others back, until compact frees their space.
    """
    from index_builder.database.maintain.prune import prune_database

    with counting_bars("choosing") as (progress,):
        report = prune_database(
            database,
            keep=keep,
            dry_run=dry_run,
            on_table=None if as_json else _show_table,
            progress=progress,
        )
    if as_json:
        print_json(report.as_dict())
        return
    would = "would be " if dry_run else ""
    console = Console()
    console.print(f"{len(report.removed)} clips {would}removed, {report.kept} {would}kept", soft_wrap=True)
    if not dry_run:
        console.print(f"undo: motionrag index restore {escape(report.database)}", soft_wrap=True, highlight=False)


def _show_table(report: PruneReport) -> None:
    title = f"{escape(report.database)}: {report.clips} clips"
    caption = "error: distance of the neighbours' motion from a clip's own, in variances of motion"
    table = Table(title=title, caption=caption)
    for heading in ("kept", "clips", "error", "against all", "error by chance"):
        table.add_column(heading, justify="right")
    table.add_row("all", str(report.clips), f"{report.whole_error:.3f}", "", "")
    for quality in report.qualities:
        against = quality.error / report.whole_error - 1 if report.whole_error else 0.0
        table.add_row(
            f"{quality.share:.0%}",
            str(quality.clips),
            f"{quality.error:.3f}",
            f"{against:+.1%}",
            f"{quality.random_error:.3f}",
        )
    Console().print(table)

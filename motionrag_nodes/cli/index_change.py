"""`motionrag index remove|restore|merge|compact|rebuild-index`: changes to databases that need no video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from motionrag_nodes.cli.index_options import AsJson, Database
from motionrag_nodes.cli.index_selection import (
    CaptionWords,
    MaxSeconds,
    MinSeconds,
    RowIds,
    Sources,
    row_filter,
)
from motionrag_nodes.cli.index_work import (
    DEFAULT_TARGET_RECALL,
    DryRun,
    IndexKind,
    TargetRecall,
    counting_bars,
    index_plan,
)
from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    from index_builder.database.maintain.remove import ChangeReport

SHOWN_ROWS = 20
EXACT_COPIES = 0.9999


def remove(
    database: Database,
    sources: Sources = None,
    ids: RowIds = None,
    caption_words: CaptionWords = None,
    min_seconds: MinSeconds = None,
    max_seconds: MaxSeconds = None,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Remove copies: clips that look and move just like an earlier one.")
    ] = False,
    near_duplicates: Annotated[
        float | None,
        typer.Option(
            "--near-duplicates",
            help="Remove clips that resemble an earlier one at least this much, in first frame and in motion: 0 to 1.",
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove clips from a database; builds do not bring them back, restore does.

    A clip is removed if it matches every option given; of a repeated option, any value may match. compact frees the
    space.
    """
    from index_builder.database.maintain.remove import remove_rows

    where = row_filter(sources, ids, caption_words, min_seconds, max_seconds)
    alike = EXACT_COPIES if duplicates and near_duplicates is None else near_duplicates
    with counting_bars("comparing") as (progress,):
        report = remove_rows(database, where, near_duplicates=alike, dry_run=dry_run, progress=progress)
    _show_change(report, "removed", as_json)


def restore(
    database: Database,
    sources: Sources = None,
    ids: RowIds = None,
    caption_words: CaptionWords = None,
    min_seconds: MinSeconds = None,
    max_seconds: MaxSeconds = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring removed clips back: those that fit everything that is given, or all.

    A clip that compact has left out is only forgotten as removed: the next build over its video indexes it again.
    """
    from index_builder.database.maintain.remove import restore_rows

    where = row_filter(sources, ids, caption_words, min_seconds, max_seconds)
    _show_change(restore_rows(database, where, dry_run=dry_run), "restored", as_json)


def merge(
    sources: Annotated[list[Path], typer.Argument(help="Databases to take clips from; they stay as they are.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Database to merge them into; made if missing.")],
    target_recall: TargetRecall = DEFAULT_TARGET_RECALL,
    as_json: AsJson = False,
) -> None:
    """Merge databases that were made with one pack into one. Nothing is decoded or encoded again."""
    from index_builder.database.maintain.merge import merge_databases

    with counting_bars("merging", "indexing") as (progress, indexing):
        plan = index_plan(target_recall=target_recall, progress=indexing)
        report = merge_databases(sources, output=output, plan=plan, progress=progress)
    if as_json:
        print_json(report.as_dict())
        return
    table = Table(title=f"{escape(report.output)}: {report.clips} clips, generation {report.generation}")
    for heading in ("database", "added", "already there", "removed there earlier", "removed in the source"):
        table.add_column(heading, justify="left" if heading == "database" else "right")
    for source in report.sources:
        counts = (source.added, source.already_there, source.removed_there, source.removed_here)
        table.add_row(escape(source.database), *map(str, counts))
    console = Console()
    console.print(table)
    if captioned := sum(source.captioned for source in report.sources):
        console.print(f"{captioned} clips that were there without a caption took that of the same clip elsewhere")


def compact(
    database: Database,
    target_recall: TargetRecall = DEFAULT_TARGET_RECALL,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Free the space of removed clips and old generations, and make few segments of many.

    Readers that are open go on undisturbed; removed clips can then no longer be restored without their videos.
    """
    from index_builder.database.maintain.compact import compact_database
    from index_builder.report.facts import readable_size

    with counting_bars("rewriting", "indexing") as (progress, indexing):
        plan = index_plan(target_recall=target_recall, progress=indexing)
        report = compact_database(database, plan=plan, dry_run=dry_run, progress=progress)
    if as_json:
        print_json(report.as_dict())
        return
    would = "would leave" if dry_run else "left"
    after = "" if report.bytes_after is None else f" to {readable_size(report.bytes_after)}"
    Console().print(
        f"{report.clips} clips; {would} out {report.removed_rows_left_out} removed; segments "
        f"{report.segments_before} to {report.segments_after}; {readable_size(report.bytes_before)}{after}; generation "
        f"{report.generation}",
        soft_wrap=True,
    )


def rebuild_index(
    database: Database,
    kind: Annotated[
        IndexKind, typer.Option("--kind", help="auto chooses by size: flat (exact), hnsw (a graph), ivf (lists).")
    ] = IndexKind.auto,
    target_recall: TargetRecall = DEFAULT_TARGET_RECALL,
    as_json: AsJson = False,
) -> None:
    """Make the search indexes of a database again and measure their recall. Rows are not touched."""
    from index_builder.database.search.index_commit import rebuild_indexes
    from index_builder.report.facts import readable_size

    with counting_bars("indexing") as (progress,):
        plan = index_plan(kind=kind, target_recall=target_recall, progress=progress)
        report = rebuild_indexes(database, plan=plan)
    if as_json:
        print_json(report.as_dict())
        return
    table = Table(title=f"{escape(report.database)}, generation {report.generation}")
    for heading in ("field", "kind", "rows", "size", "recall@10", "effort"):
        table.add_column(heading, justify="right" if heading not in ("field", "kind") else "left")
    for field, facts in report.indexes.items():
        effort = f"{facts['parameter']} {facts['effort']}" if "effort" in facts else "exact"
        size = readable_size(facts["size_bytes"])
        table.add_row(field, facts["kind"], str(facts["rows"]), size, f"{facts['recall_at_10']:.3f}", effort)
    Console().print(table)


def _show_change(report: ChangeReport, done: str, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
        return
    console = Console()
    for row in report.rows[:SHOWN_ROWS]:
        console.print(f"{row.row_id} {escape(row.source)} [dim]{escape(row.reason)}[/]", soft_wrap=True)
    if len(report.rows) > SHOWN_ROWS:
        console.print(f"… and {len(report.rows) - SHOWN_ROWS} more; --json lists all")
    would = "would be " if report.dry_run else ""
    console.print(f"{len(report.rows)} clips {would}{done}, {report.clips} clips {would}left", soft_wrap=True)

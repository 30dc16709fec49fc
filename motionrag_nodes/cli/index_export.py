"""`motionrag index export`: a database as one parquet file, for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motionrag_nodes.cli.index_options import AsJson, Database
from motionrag_nodes.cli.index_work import counting_bars
from motionrag_nodes.cli.terminal import Console, escape, print_json


def export(
    database: Database,
    output: Annotated[Path, typer.Argument(help="The .parquet file to write; replaced if it exists.")],
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="With the text and frame embeddings (float32).")
    ] = False,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help="With the strips of eight frames (JPEG).")] = False,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="With motion and appearance tokens (float32; shape in the metadata).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a parquet file with a row for each clip: id, video, seconds, size, caption; more on request."""
    from index_builder.database.maintain.export import export_database
    from index_builder.report.facts import readable_size

    with counting_bars("exporting") as (progress,):
        report = export_database(
            database, output, embeddings=embeddings, thumbnails=thumbnails, tokens=tokens, progress=progress
        )
    if as_json:
        print_json(report.as_dict())
        return
    size = readable_size(report.size_bytes)
    Console().print(f"{report.rows} clips, {size}: {escape(report.file)}", soft_wrap=True)

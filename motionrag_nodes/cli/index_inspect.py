"""`motionrag index inspect`: what a database holds."""

from __future__ import annotations

import json

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from motionrag_nodes.cli.index_options import AsJson, Database, readable_size


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
            value = {part: readable_size(size) for part, size in value.items()}
        shown = ", ".join(f"{key}: {entry}" for key, entry in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), escape(shown))
    Console().print(table)

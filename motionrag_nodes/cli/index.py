"""`motionrag index`: joins the commands on motion databases, one file a group."""

from __future__ import annotations

import typer

from motionrag_nodes.cli.index_add import add
from motionrag_nodes.cli.index_build import build
from motionrag_nodes.cli.index_caption import caption, relocate
from motionrag_nodes.cli.index_change import compact, merge, rebuild_index, remove, restore
from motionrag_nodes.cli.index_export import export
from motionrag_nodes.cli.index_inspect import inspect
from motionrag_nodes.cli.index_prune import prune
from motionrag_nodes.cli.index_search import search
from motionrag_nodes.cli.index_verify import verify
from motionrag_nodes.cli.share import import_database

app = typer.Typer(no_args_is_help=True)
app.command()(build)
app.command()(add)
app.command()(search)
app.command()(inspect)
app.command()(verify)
app.command()(remove)
app.command()(restore)
app.command()(prune)
app.command()(caption)
app.command()(relocate)
app.command()(merge)
app.command()(compact)
app.command("rebuild-index")(rebuild_index)
app.command()(export)
app.command("import")(import_database)

"""`motionrag index verify`: whether a database is still, byte for byte, what was written."""

from __future__ import annotations

import typer

from index_builder.report.facts import readable_size
from motionrag_nodes.cli.index_options import AsJson, Database
from motionrag_nodes.cli.terminal import Console, escape, print_json

EXIT_DAMAGED = 1


def verify(database: Database, as_json: AsJson = False) -> None:
    """Hash and read everything again. Exit code: 0 sound, 1 damaged, 2 no database."""
    from index_builder.database.maintain.verify import verify_database

    console = Console(stderr=True)
    with console.status("verifying") as status:
        report = verify_database(database, on_file=lambda path: status.update(f"verifying {escape(path)}"))
    if as_json:
        print_json(report.as_dict())
    else:
        out = Console()
        for note in report.notes:
            out.print(f"[dim]note: {escape(note)}[/]", soft_wrap=True)
        for problem in report.problems:
            out.print(f"[red]damaged:[/] {escape(problem)}", soft_wrap=True)
        verdict = "[green]sound[/]" if report.sound else f"[red]{len(report.problems)} problems[/]"
        size = readable_size(report.bytes_checked)
        out.print(f"{verdict}: {report.rows} clips, {report.files_checked} files, {size} read")
    if not report.sound:
        raise typer.Exit(EXIT_DAMAGED)

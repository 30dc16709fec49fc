"""`motionrag doctor`: says what is wrong with an installation, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding

from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    from motionrag_nodes.doctor.findings import Finding

EXIT_PROBLEM = 1
_MARKS = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "problem": "[bold red]problem[/]"}


def doctor(
    comfyui: Annotated[
        Path | None,
        typer.Option("--comfyui", help="ComfyUI folder (else COMFYUI_PATH, else the installed one)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings for programs on stdout.")] = False,
) -> None:
    """Examine libraries, ComfyUI, machine, packs and databases. Exit code: 0 all works, 1 a problem, 2 bad input."""
    from motionrag_nodes.doctor.examine import examine
    from motionrag_nodes.doctor.findings import as_dict, counted, verdict
    from motionrag_nodes.doctor.surroundings import surroundings_of_command_line

    surroundings = surroundings_of_command_line(comfyui)
    console = Console()
    findings: list[Finding] = []
    for finding in examine(surroundings):
        if not as_json:
            _show(console, finding, first=not findings or findings[-1].topic != finding.topic)
        findings.append(finding)
    if as_json:
        print_json(as_dict(findings))
    else:
        console.print(f"\n{verdict(counted(findings))}")
    if counted(findings)["problem"]:
        raise typer.Exit(EXIT_PROBLEM)


def _show(console: Console, finding: Finding, *, first: bool) -> None:
    if first:
        console.print(f"[bold]{finding.topic}[/]")
    text = f"{_MARKS[finding.level]} {escape(finding.subject)}: {escape(finding.message)}"
    console.print(Padding(text, (0, 0, 0, 2)), highlight=False)
    if finding.remedy:
        console.print(Padding(f"-> {escape(finding.remedy)}", (0, 0, 0, 10)), style="cyan", highlight=False)

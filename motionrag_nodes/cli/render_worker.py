"""`motionrag render-worker`: lends servers of this machine to renderers elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motionrag_nodes.cli.render import EXIT_INTERRUPTED, EXIT_TERMINATED, Terminated, terminable
from motionrag_nodes.cli.render_servers import ServerChoice, opened_targets
from motionrag_nodes.cli.terminal import Console


def render_worker(
    queue: Annotated[str, typer.Option("--queue", help="postgresql://... as given to motionrag render.")],
    server: Annotated[
        list[str] | None, typer.Option("--server", help="URL of a running ComfyUI; without any, one is started.")
    ] = None,
    servers: Annotated[
        Path | None, typer.Option("--servers", help=r"TOML file of [\[server]] tables: url, weight, headers, ...")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", help="'Name: value' sent to every --server. Repeatable.")
    ] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="Certificates (PEM) to trust for https.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Trust any certificate.")] = False,
    patience: Annotated[float, typer.Option("--patience", help="Seconds for which a server may be away.")] = 60.0,
    folder_map: Annotated[
        list[str] | None,
        typer.Option(
            "--folder-map", help="FROM=TO: a renderer's output folder FROM is mounted at TO here. Repeatable."
        ),
    ] = None,
    comfyui: Annotated[Path | None, typer.Option("--comfyui", help="ComfyUI folder to start one from.")] = None,
    base: Annotated[Path | None, typer.Option("--base", help="Folder for the ComfyUI that is started.")] = None,
) -> None:
    """Render jobs that motionrag render --queue hands out, on servers of this machine, until stopped."""
    from motionrag_nodes.batch_render.worker import run_worker

    console = Console(stderr=True)
    choice = ServerChoice(
        servers=server or (),
        servers_file=servers,
        headers=header or (),
        ca_file=ca,
        insecure=insecure,
        comfyui=comfyui,
        base=base,
    )

    def note(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    try:
        with terminable(), opened_targets(choice, console) as targets:
            run_worker(targets, queue_url=queue, patience_sec=patience, folder_maps=folder_map or (), note=note)
    except KeyboardInterrupt as signalled:
        note("Stopped. Jobs that were at work go to other servers.")
        raise typer.Exit(EXIT_TERMINATED if isinstance(signalled, Terminated) else EXIT_INTERRUPTED) from None

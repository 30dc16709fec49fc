"""`motionrag render-worker`: lends servers of this machine to renderers elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from motionrag_nodes.cli import render_options as options
from motionrag_nodes.cli.render_servers import ServerChoice, opened_targets
from motionrag_nodes.cli.stopping import ended_in_order
from motionrag_nodes.cli.terminal import Console

FolderMaps = Annotated[
    list[str] | None,
    typer.Option("--folder-map", help="FROM=TO: a renderer's output folder FROM is mounted at TO here. Repeatable."),
]


def render_worker(
    queue: options.SharedQueue,
    server: options.Server = None,
    servers: options.Servers = None,
    header: options.Header = None,
    ca: options.Ca = None,
    insecure: options.Insecure = False,
    patience: options.Patience = options.DEFAULT_PATIENCE_SEC,
    folder_map: FolderMaps = None,
    comfyui: options.Comfyui = None,
    base: options.Base = None,
    extra_model_paths: options.ExtraModelPaths = None,
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
        extra_model_paths=extra_model_paths or (),
    )

    def note(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    with (
        ended_in_order(note, "Jobs that were at work go to other servers."),
        opened_targets(choice, console) as targets,
    ):
        run_worker(targets, queue_url=queue, patience_sec=patience, folder_maps=folder_map or (), note=note)

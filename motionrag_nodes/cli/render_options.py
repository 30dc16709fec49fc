"""Options of the commands that render: those of a batch, and those of servers, which a worker has as well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_PATIENCE_SEC = 60.0

Workflows = Annotated[list[Path], typer.Argument(help="Workflow files, as saved in ComfyUI or exported (API).")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the results and their manifest.json.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="NODE.INPUT=VALUE; NODE is a node's id, title or class. Repeatable."),
]
Jobs = Annotated[
    Path | None,
    typer.Option("--jobs", help="Table (CSV, .jsonl, .parquet), one row for each job; columns NODE.INPUT, maybe name."),
]
JobsEncoding = Annotated[
    str | None, typer.Option("--jobs-encoding", help="Encoding of the table where it is not Unicode: cp1252, ...")
]
NameTemplateText = Annotated[
    str, typer.Option("--name-template", help="Names of results: {job}, {node} or {id} or {class}, {n}, {ext}.")
]
PartText = Annotated[
    str, typer.Option("--part", help="K/N: only every N-th job, from the K-th on, for batches shared between machines.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, show the plan and an estimate, and queue nothing.")
]
ExportOpenjd = Annotated[
    Path | None,
    typer.Option("--export-openjd", help="Write this batch as an OpenJD job template for a farm; render nothing."),
]
Force = Annotated[bool, typer.Option("--force", help="Render finished jobs again.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a report for programs on stdout.")]
LogJson = Annotated[
    bool, typer.Option("--log-json", help="Write a line of JSON for every event to stderr, instead of bars.")
]

Server = Annotated[
    list[str] | None,
    typer.Option(
        "--server",
        help="URL of a running ComfyUI, also https://user:password@host/path; without any, one is started. Repeatable.",
    ),
]
Servers = Annotated[
    Path | None, typer.Option("--servers", help=r"TOML file of [\[server]] tables: url, weight, headers, ...")
]
Header = Annotated[list[str] | None, typer.Option("--header", help="'Name: value' sent to every --server. Repeatable.")]
Ca = Annotated[Path | None, typer.Option("--ca", help="Certificates (PEM) to trust for https.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Trust any certificate.")]
Patience = Annotated[
    float, typer.Option("--patience", help="Seconds for which a server may be away before its jobs are given up.")
]
_QUEUE = "postgresql://... that motionrag render shares with motionrag render-worker on other machines."
Queue = Annotated[str | None, typer.Option("--queue", help=_QUEUE)]
SharedQueue = Annotated[str, typer.Option("--queue", help=_QUEUE)]
Comfyui = Annotated[
    Path | None,
    typer.Option("--comfyui", help="ComfyUI folder to start one from (else COMFYUI_PATH, else the installed one)."),
]
Base = Annotated[
    Path | None,
    typer.Option(
        "--base", help="Folder with models/, input/ ... for the ComfyUI that is started, or your own ComfyUI."
    ),
]
ExtraModelPaths = Annotated[
    list[Path] | None,
    typer.Option("--extra-model-paths", help="A file like ComfyUI's extra_model_paths.yaml. Repeatable."),
]

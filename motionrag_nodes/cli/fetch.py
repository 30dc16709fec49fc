"""`motionrag fetch`: the published weights of one base model, from the Hugging Face hub, as a motion pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motionrag_nodes.backbones.backbone import all_backbones

if TYPE_CHECKING:
    from motionrag_nodes.cli.terminal import Console
    from motionrag_nodes.fetch.hub import Hub
    from motionrag_nodes.fetch.plan import FetchPlan

_NAMES = ", ".join(backbone.name for backbone in all_backbones() if backbone.published is not None)


def fetch(
    backbone: Annotated[str, typer.Argument(help=f"Which video model: {_NAMES}.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the new pack; else models/motionrag/BACKBONE.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show sizes and licences, and download nothing.")] = False,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Hub cache to use; else that of HF_HUB_CACHE or HF_HOME.")
    ] = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="The newest files of each repository instead of the pinned ones.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing pack.")] = False,
) -> None:
    """Download the published weights of a base model and make a motion pack of them.

    Shows first what will be downloaded, how large it is and under which licences. Files go into the hub cache, where
    other programs find them, exactly those that are needed, in half precision; a download that was stopped continues
    where it was. Each repository is taken at a pinned commit, which the pack records.
    """
    # Heavy: torch comes with it, and `motionrag --help` should not wait for that.
    from motionrag_nodes.checkpoints.pack_config import PACK_FILE
    from motionrag_nodes.cli.output_folder import check_output_folder
    from motionrag_nodes.cli.terminal import Console
    from motionrag_nodes.errors import PackInvalid
    from motionrag_nodes.fetch.hub import Hub
    from motionrag_nodes.fetch.make_pack import make_pack, sources_of
    from motionrag_nodes.fetch.plan import plan_fetch, require_room

    console = Console()
    target = output or Path("models/motionrag") / backbone
    sources = sources_of(backbone)
    if not dry_run and target.exists() and not (overwrite and (target / PACK_FILE).is_file()):
        raise PackInvalid(
            f"Expected a new folder for the pack, but {target} exists: use it as it is, replace it with --overwrite, "
            "or choose another with --output."
        )
    if not dry_run:
        check_output_folder(target)
    hub = Hub(cache=cache)
    with console.status("Asking the hub ..."):
        plan = plan_fetch(sources, hub, latest=latest)
    _show(plan, hub.cache_folder, console)
    if dry_run:
        console.print("Nothing was downloaded (--dry-run).")
        return
    require_room(plan, hub.cache_folder)
    _download(plan, hub, console)
    with console.status("Converting ..."):
        made = make_pack(backbone, plan, hub, target, overwrite=overwrite)
    console.print(f"Pack {made.config.name} is in {target}. Build a database of your own clips with it:")
    console.print(f"  motionrag index build FOLDER --output DATABASE --pack {target}", soft_wrap=True)
    console.print("In ComfyUI, packs in models/motionrag appear in Load Motion Pack.")


def _show(plan: FetchPlan, cache: Path, console: Console) -> None:
    for entry in plan.repositories:
        size = _size(entry.missing_bytes) if entry.missing_bytes else "here already"
        gated = ", terms to accept" if entry.gated else ""
        what = f"{entry.source.purpose}: {entry.source.repo} at {entry.commit[:8]}, licence {entry.licence}{gated}"
        console.print(f"{size:>12}  {what}", soft_wrap=True, highlight=False)
    console.print(f"{_size(plan.missing_bytes):>12}  in all, into {cache}", soft_wrap=True, highlight=False)
    console.print("By using the files you accept their licences; read them at https://huggingface.co/REPOSITORY.")


def _download(plan: FetchPlan, hub: Hub, console: Console) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from motionrag_nodes.fetch.download import download

    if not plan.missing_bytes:
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("downloading", total=plan.missing_bytes)

        def tell(name: str, count: int) -> None:
            bars.update(bar, advance=count, description=name.rsplit("/", 1)[-1][:40])

        download(plan, hub, progress=tell)


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"

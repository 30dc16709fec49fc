"""`motionrag convert`: published MotionRAG checkpoints become a motion pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motionrag_nodes.backbones.backbone import all_backbones

if TYPE_CHECKING:
    from motionrag_nodes.checkpoints.convert import Conversion
    from motionrag_nodes.cli.terminal import Console

_PUBLISHED = [backbone for backbone in all_backbones() if backbone.published is not None]
_BASE_WEIGHTS = " ".join(
    f"{backbone.published.base_weights_file}, which {backbone.name} needs as well."
    for backbone in _PUBLISHED
    if backbone.published is not None and backbone.published.base_weights_file
)
_WITH_BASE = ", ".join(backbone.name for backbone in _PUBLISHED if backbone.convert_base is not None)


Backbone = Annotated[
    str,
    typer.Option(
        help=f"Which video model the checkpoints are for: {', '.join(backbone.name for backbone in _PUBLISHED)}."
    ),
]
SentenceEncoder = Annotated[
    Path | None,
    typer.Option("--sentence-encoder", help="Folder of a sentence-transformers model for captions; it is copied."),
]


def convert(
    backbone: Backbone,
    motion_proj: Annotated[Path, typer.Option(help="motion_proj.ckpt: the motion resampler.")],
    motion_transformer: Annotated[Path, typer.Option(help="motion_transformer.ckpt: the context transformer.")],
    adapter: Annotated[Path, typer.Option(help="Motion-Adapter.ckpt: the attention adapters.")],
    output: Annotated[Path, typer.Option(help="Folder of the new pack; it must not exist yet.")],
    base_weights: Annotated[Path | None, typer.Option("--frames-17", help=_BASE_WEIGHTS)] = None,
    base_checkpoint: Annotated[
        Path | None,
        typer.Option(help=f"The base model's own checkpoint, which becomes a part of the pack: for {_WITH_BASE}."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The pack's name; else that of its folder.")] = None,
    sentence_encoder: SentenceEncoder = None,
    allow_encoder_code: Annotated[
        bool,
        typer.Option("--allow-encoder-code", help="The sentence encoder brings Python code, and you trust it."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing pack.")] = False,
) -> None:
    """Turn published MotionRAG checkpoints (.ckpt) into a motion pack; `motionrag fetch` downloads them as well.

    Files are opened without running any code in them, every missing or unexpected key is listed, and a file given in
    the place of another is recognised. With --sentence-encoder, captions are read by a model of your own, such as
    gte-base-en-v1.5, which the authors used: a local copy, since it brings code, which has to be allowed.
    """
    # Heavy: torch comes with it, and `motionrag --help` should not wait for that.
    from motionrag_nodes.checkpoints.convert import convert_checkpoints
    from motionrag_nodes.checkpoints.published import published_config
    from motionrag_nodes.checkpoints.sentence_folder import allowing_command, with_sentence_encoder
    from motionrag_nodes.cli.output_folder import check_output_folder
    from motionrag_nodes.cli.terminal import Console
    from motionrag_nodes.fetch.hub import Hub
    from motionrag_nodes.fetch.make_pack import converted_encoders

    check_output_folder(output)
    console = Console()
    config = published_config(backbone, name=name or output.name)
    copied: dict[str, Path] = {}
    if sentence_encoder is not None:
        config, copied = with_sentence_encoder(config, sentence_encoder, allow_code=allow_encoder_code)
    with console.status("Converting ..."), converted_encoders(config, Hub(), near=output) as (config, folders):
        made = convert_checkpoints(
            backbone,
            motion_proj=motion_proj,
            motion_transformer=motion_transformer,
            adapter=adapter,
            base_weights=base_weights,
            base_checkpoint=base_checkpoint,
            output=output,
            config=config,
            folders=folders | copied,
            overwrite=overwrite,
        )
    _tell(made, console)
    if made.config.encoders["motion"].source not in folders:
        console.print(
            f"Its motion encoder is not on this machine yet: motionrag fetch {backbone} brings what is needed."
        )
    if allow_encoder_code and sentence_encoder is not None:
        console.print("The sentence encoder's code runs only where its fingerprint is allowed:")
        console.print(f"  {allowing_command(made.config)}", soft_wrap=True)
    console.print(f"Base model: {made.config.base}. Use it by name in Load Motion Pack, or build a database with it:")
    console.print(f"  motionrag index build FOLDER --output DATABASE --pack {made.folder}", soft_wrap=True)


def _tell(made: Conversion, console: Console) -> None:
    """The pack's files, and what was derived for it."""
    from rich.table import Table

    table = Table("file", "size", "sha256", title=f"Pack {made.config.name} in {made.folder}", title_justify="left")
    for file, entry in made.config.files.items():
        table.add_row(file, f"{entry.size_bytes / 1e6:.1f} MB", entry.sha256[:16])
    console.print(table)
    if made.derived_start_token:
        console.print("The start token, which the authors' files leave out, was derived from their seed.")

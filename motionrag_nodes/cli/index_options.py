"""What the commands of `motionrag index` share: options of one name and meaning, and the encoder of a pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from motionrag_nodes.cli.terminal import Console, escape

if TYPE_CHECKING:
    import numpy as np

    from index_builder.database.search.reader import MotionDatabase
    from index_builder.features.clip_encoder import ClipEncoder
    from motionrag_nodes.checkpoints.pack import MotionPack
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

Database = Annotated[Path, typer.Argument(help="Folder of the motion database.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a report for programs on stdout.")]
Pack = Annotated[
    str,
    typer.Option(
        "--pack", help="Motion pack that encodes: a name, or a folder. tiny is a demo that knows only flat sprites."
    ),
]


def say_what_is_unlike(
    encoder: ClipEncoder,
    *,
    database: MotionDatabase | None = None,
    prompt: str | None = None,
    picture: np.ndarray | None = None,
) -> None:
    """Says on stderr when clips, a prompt or a picture are of another world than the encoder's pack was trained on."""
    from motionrag_nodes.checkpoints.demo_pack import told_of_picture
    from motionrag_nodes.checkpoints.world_file import told_of_clips, told_of_prompts
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

    if not isinstance(encoder, PackClipEncoder):
        return
    pack = cast("MotionPack", encoder.pack)
    told = [told_of_clips(pack, database)] if database is not None else []
    told += told_of_prompts(pack, encoder.encode_text([prompt]), [prompt]) if prompt else []
    told += [told_of_picture(pack, picture)] if picture is not None else []
    for sentence in filter(None, told):
        Console(stderr=True).print(f"[yellow]note:[/] {escape(sentence)}", soft_wrap=True, highlight=False)


def load_encoder(pack: str, *, device: str = "cpu") -> PackClipEncoder:
    """The clip encoder of a pack, by name or folder."""
    from motionrag_nodes.checkpoints.pack import load_pack
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

    return PackClipEncoder(load_pack(pack, device=device))

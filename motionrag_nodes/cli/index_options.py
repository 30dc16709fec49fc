"""What the commands of `motionrag index` share: options of one name and meaning, and the encoder of a pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from index_builder.features.clip_encoder import ClipEncoder

Database = Annotated[Path, typer.Argument(help="Folder of the motion database.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a report for programs on stdout.")]
Pack = Annotated[str, typer.Option("--pack", help="Motion pack that encodes: a name, or a folder.")]


def load_encoder(pack: str, *, device: str = "cpu") -> ClipEncoder:
    """The clip encoder of a pack, by name or folder."""
    from motionrag_nodes.checkpoints.pack import load_pack
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

    return PackClipEncoder(load_pack(pack, device=device))

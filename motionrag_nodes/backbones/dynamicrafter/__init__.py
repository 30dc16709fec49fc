"""DynamiCrafter-1024 (Doubiiu/DynamiCrafter_1024): motion enters its spatial cross-attentions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from motionrag_nodes.backbones.backbone import Backbone
from motionrag_nodes.backbones.dynamicrafter import pipeline, sites
from motionrag_nodes.backbones.dynamicrafter.published import PUBLISHED, ROOT
from motionrag_nodes.backbones.dynamicrafter.published_size import PUBLISHED_SIZES
from motionrag_nodes.backbones.dynamicrafter.settings import DynamiCrafterSettings

if TYPE_CHECKING:
    from torch import Tensor


def convert_base(state: Mapping[str, Tensor], folder: Path) -> None:
    """See base_checkpoint.py, imported late: it brings torch, and the help of the command line reads this folder."""
    from motionrag_nodes.backbones.dynamicrafter import base_checkpoint

    base_checkpoint.convert_base(state, folder)


BACKBONE = Backbone(
    name="dynamicrafter",
    title="DynamiCrafter",
    number=3,
    root=ROOT,
    pipelines=(pipeline.PIPELINE,),
    parts=pipeline.PARTS,
    hosts=sites.hosts,
    blocks_of=sites.blocks_of,
    settings=DynamiCrafterSettings,
    defaults=pipeline.defaults,
    load=pipeline.load,
    run=pipeline.run,
    denoisers=pipeline.denoisers,
    calls=pipeline.calls,
    stops=pipeline.stops,
    pixel_multiple=pipeline.pixel_multiple,
    denoising_bytes=pipeline.DENOISING_BYTES,
    fit_codec=pipeline.fit_codec,
    published_sizes=PUBLISHED_SIZES,
    published=PUBLISHED,
    convert_base=convert_base,
)

"""Wan 2.2 image to video (I2V-A14B with two experts, TI2V-5B with one): motion enters every block's self-attention.

There are no published MotionRAG weights for it: an adapter has to be trained.
"""

from motionrag_nodes.backbones.backbone import Backbone
from motionrag_nodes.backbones.wan import pipeline, sites
from motionrag_nodes.backbones.wan.published_size import PUBLISHED_SIZES
from motionrag_nodes.backbones.wan.settings import WanSettings

BACKBONE = Backbone(
    name="wan",
    title="Wan image to video",
    number=4,
    root="transformer",
    pipelines=("WanImageToVideoPipeline",),
    parts=pipeline.PARTS,
    hosts=sites.hosts,
    blocks_of=sites.blocks_of,
    settings=WanSettings,
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
)

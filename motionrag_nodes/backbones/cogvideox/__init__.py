"""CogVideoX-5B image to video (THUDM/CogVideoX-5b-I2V): motion enters the joint attention of every block."""

from motionrag_nodes.backbones.backbone import Backbone
from motionrag_nodes.backbones.cogvideox import pipeline, sites
from motionrag_nodes.backbones.cogvideox.published import PUBLISHED
from motionrag_nodes.backbones.cogvideox.published_size import PUBLISHED_SIZES
from motionrag_nodes.backbones.cogvideox.settings import CogVideoXSettings

BACKBONE = Backbone(
    name="cogvideox",
    title="CogVideoX image to video",
    number=2,
    root="transformer",
    pipelines=("CogVideoXImageToVideoPipeline",),
    parts=pipeline.PARTS,
    hosts=sites.hosts,
    blocks_of=sites.blocks_of,
    settings=CogVideoXSettings,
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
    native_weights=sites.native_weights,
)

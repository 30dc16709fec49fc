"""Stable Video Diffusion (stabilityai/stable-video-diffusion-img2vid): motion enters its spatial cross-attentions."""

from motionrag_nodes.backbones.backbone import Backbone
from motionrag_nodes.backbones.svd import pipeline, sites
from motionrag_nodes.backbones.svd.published import PUBLISHED
from motionrag_nodes.backbones.svd.published_size import PUBLISHED_SIZES
from motionrag_nodes.backbones.svd.settings import SVDSettings

BACKBONE = Backbone(
    name="svd",
    title="Stable Video Diffusion",
    number=1,
    root="unet",
    pipelines=("StableVideoDiffusionPipeline",),
    parts=pipeline.PARTS,
    hosts=sites.hosts,
    blocks_of=sites.blocks_of,
    settings=SVDSettings,
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
    native_loader="motionrag_nodes.backbones.svd.native",
)

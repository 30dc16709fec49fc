"""DynamiCrafter-1024 (Doubiiu/DynamiCrafter_1024): motion enters its spatial cross-attentions."""

from motionrag_nodes.backbones.backbone import Backbone
from motionrag_nodes.backbones.dynamicrafter import pipeline, sites
from motionrag_nodes.backbones.dynamicrafter.base_checkpoint import convert_base
from motionrag_nodes.backbones.dynamicrafter.published import PUBLISHED, ROOT
from motionrag_nodes.backbones.dynamicrafter.settings import DynamiCrafterSettings

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
    published=PUBLISHED,
    convert_base=convert_base,
)

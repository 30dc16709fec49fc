"""Room for a run: what its models need beside their weights, and a codec that decodes in parts that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motionrag_nodes.backbones.settings import Settings

if TYPE_CHECKING:
    from motionrag_nodes.frames.video_model import VideoModel

# Of what is free now: other programs and fragments need the rest.
USABLE_SHARE = 0.9


def make_room(model: VideoModel, settings: Settings, *, batch: int) -> Settings:
    """The settings with a decoding that fits into free memory; the model's residence learns what its parts need."""
    backbone, pipeline, residence = model.backbone, model.pipeline, model.residence
    pixels = settings.width * settings.height * settings.frames * batch
    denoisers = backbone.denoisers(pipeline)
    for denoiser in denoisers:
        itemsize = next(denoiser.parameters()).dtype.itemsize
        residence.expect(denoiser, int(backbone.denoising_bytes * pixels * itemsize / 2))
    fitted, needed = backbone.fit_codec(pipeline, settings, int(USABLE_SHARE * residence.free_bytes()))
    residence.expect(pipeline.vae, needed)
    held: Settings = fitted
    return held

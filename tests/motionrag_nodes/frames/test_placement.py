"""Where a pipeline's parts stand: levels of offload, a residence that brings them, precisions that are refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from index_builder.errors import InvalidSetting
from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.backbones.svd.pipeline import fit_codec
from motionrag_nodes.backbones.svd.settings import SVDSettings
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.errors import PrecisionUnsupported
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.video_model import load_video_model
from motionrag_nodes.residence import Residence
from tests.motionrag_nodes.frames.test_generate import IMAGE, SETTINGS


class Noted(Residence):
    """Says what was brought and released, and has as much memory as is said."""

    def __init__(self, free_bytes: int = 1 << 40) -> None:
        super().__init__("cpu")
        self.free, self.brought, self.released = free_bytes, [], []

    def bring(self, module: nn.Module) -> None:
        self.brought.append((module, self.beside(module), self.needs(module)))

    def release(self, modules) -> None:
        self.released += modules

    def free_bytes(self) -> int:
        return self.free


def test_float16_on_a_cpu_and_offload_on_a_cpu_are_refused(tiny_pipeline_folder) -> None:
    with pytest.raises(
        PrecisionUnsupported, match=r"Expected float32 or bfloat16 on a CPU, received float16: .*slowly"
    ):
        load_video_model(tiny_pipeline_folder, dtype=torch.float16)
    with pytest.raises(InvalidSetting, match=r"Expected the offload none on a CPU.*received model: leave it out"):
        load_video_model(tiny_pipeline_folder, offload="model")
    with pytest.raises(InvalidSetting, match=r"Expected an offload of none, model, sequential, received 'disk'"):
        load_video_model(tiny_pipeline_folder, offload="disk")


def test_parts_come_when_they_are_called_and_the_adapter_with_the_denoiser(
    tiny_pipeline_folder, write_tiny_pack, tmp_path
) -> None:
    pack, residence = load_pack(write_tiny_pack(tmp_path / "pack")), Noted()
    plain = load_video_model(tiny_pipeline_folder, pack=pack)
    managed = load_video_model(tiny_pipeline_folder, pack=pack, residence=residence)
    motion = AdaptedMotion(*torch.randn(2, 1, 3, 32), fusion="mean", pack=pack)
    made, expected = (
        generate_video(model, image=IMAGE, motion=motion, settings=SETTINGS).frames for model in (managed, plain)
    )
    assert torch.equal(made, expected)
    parts = managed.pipeline.components
    order = [module for module, _, _ in residence.brought]
    calls = [next(name for name, part in [*parts.items(), ("adapter", managed.adapter)] if part is m) for m in order]
    assert calls[:2] == ["image_encoder", "vae"] and calls[2:4] == ["adapter", "unet"] and calls[-1] == "vae"
    assert residence.released == [managed.adapter]
    needed = {id(module): (beside, needs) for module, beside, needs in residence.brought}
    assert needed[id(parts["unet"])][0] == (managed.adapter,)
    assert needed[id(parts["unet"])][1] > 0 and needed[id(parts["vae"])][1] > 0


def test_the_codec_decodes_as_many_frames_as_fit(tiny_pipeline_folder) -> None:
    asked: list[int] = []
    for free, chunks in ((1 << 40, [2, 1]), (0, [1, 1, 1])):
        model = load_video_model(tiny_pipeline_folder, residence=Noted(free))
        decode = model.pipeline.vae.decode
        model.pipeline.vae.decode = lambda latents, *args, decode=decode, **more: (
            asked.append(len(latents)) or decode(latents, *args, **more)
        )
        asked.clear()
        generate_video(model, image=IMAGE, motion=None, settings=SETTINGS)
        assert asked == chunks


def test_a_failed_run_releases_the_adapter_too(tiny_pipeline_folder, write_tiny_pack, tmp_path) -> None:
    residence = Noted()
    model = load_video_model(
        tiny_pipeline_folder, pack=load_pack(write_tiny_pack(tmp_path / "pack")), residence=residence
    )
    with pytest.raises(KeyError, match="mine"):
        generate_video(model, image=IMAGE, motion=None, settings=SETTINGS, on_step=lambda *_: {}["mine"])
    assert residence.released == [model.adapter]


def test_the_settings_of_the_published_size_fit_a_small_accelerator() -> None:
    codec = SimpleNamespace(dtype=torch.bfloat16, config={"force_upcast": True})
    settings = SVDSettings(steps=25, frames=16, fps=8, width=1024, height=576, min_guidance=1, max_guidance=3)
    fitted, needed = fit_codec(SimpleNamespace(vae=codec), settings, 5 << 30)
    assert fitted.decode_chunk_size == 4 and needed < 5 << 30
    codec.dtype = torch.float16  # widened to float32 while it decodes
    assert fit_codec(SimpleNamespace(vae=codec), settings, 5 << 30)[0].decode_chunk_size == 2

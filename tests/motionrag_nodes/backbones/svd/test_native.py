"""A diffusers SVD folder as ComfyUI's own models: the same pictures in, the same numbers out; wrong folders refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from index_builder.errors import ModelFilesRefused
from motionrag_nodes.checkpoints.pack import PACKAGED_FOLDER
from motionrag_nodes.errors import VideoModelNotFound

pytestmark = pytest.mark.comfyui


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def load(comfy: Any) -> Any:
    from motionrag_nodes.backbones.svd.native import load_native_base

    return load_native_base


@pytest.fixture(scope="module", params=["tiny pack", "svd's own kind of codec"])
def folder(request: pytest.FixtureRequest) -> Path:
    if request.param == "tiny pack":
        return PACKAGED_FOLDER / "tiny" / "base"
    path: Path = request.getfixturevalue("tiny_pipeline_folder")
    return path


def _pipeline(folder: Path) -> Any:
    from diffusers import StableVideoDiffusionPipeline

    return StableVideoDiffusionPipeline.from_pretrained(str(folder), local_files_only=True).to(torch.float32)


def test_every_part_computes_what_diffusers_does(load, folder: Path) -> None:
    model, vision, vae = load(folder)
    theirs = _pipeline(folder)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn((1, 3, 224, 224), generator=generator)
    embedding = vision.model(pixel_values=pixels)[2]
    for name, parameter in theirs.image_encoder.named_parameters():
        if "visual_projection" not in name:  # ComfyUI keeps the tower in half precision, and its projection in single
            parameter.copy_(parameter.half())
    torch.testing.assert_close(embedding, theirs.image_encoder(pixels).image_embeds, atol=1e-4, rtol=1e-4)

    frames = torch.rand((3, 64, 64, 3), generator=generator)
    encoded = theirs.vae.encode(frames.permute(0, 3, 1, 2) * 2 - 1).latent_dist.mode()
    torch.testing.assert_close(vae.encode(frames), encoded, atol=1e-4, rtol=1e-4)
    known = {"num_frames": 3} if "Temporal" in type(theirs.vae).__name__ else {}
    decoded = (theirs.vae.decode(encoded, **known).sample / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    torch.testing.assert_close(vae.decode(encoded), decoded, atol=1e-4, rtol=1e-4)
    assert vae.decode_tiled(encoded, tile_x=8, tile_y=8, overlap=2).shape == frames.shape

    scale = theirs.vae.config.scaling_factor
    torch.testing.assert_close(model.model.process_latent_in(encoded), encoded * scale)
    width = theirs.unet.config.in_channels
    sample, time = torch.randn((1, 2, width, 8, 8), generator=generator), torch.tensor(0.4)
    context = torch.randn((1, 1, theirs.unet.config.cross_attention_dim), generator=generator)
    time_ids = torch.tensor([[3.0, 100.0, 0.05]])
    ours = model.model.diffusion_model(
        sample[0],
        time.expand(2),
        context=context.expand(2, -1, -1),
        y=model.model.encode_adm(fps=4, motion_bucket_id=100, augmentation_level=0.05).expand(2, -1),
        num_video_frames=2,
    )
    expected = theirs.unet(sample, time, context, time_ids, return_dict=False)[0][0]
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)


def test_a_picture_s_embedding_equals_the_pipeline_s(load) -> None:
    folder = PACKAGED_FOLDER / "tiny" / "base"
    _, vision, _ = load(folder)
    theirs = _pipeline(folder)
    picture = (torch.rand((1, 224, 224, 3)) * 255).round() / 255  # of the size that neither has to change
    expected = theirs._encode_image(picture.permute(0, 3, 1, 2), "cpu", 1, False)[:, 0]
    torch.testing.assert_close(vision.encode_image(picture).image_embeds, expected, atol=1e-4, rtol=1e-4)


@pytest.fixture
def copied(tiny_pipeline_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_pipeline_folder, tmp_path / "model"))


def _change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_half_precision_files_and_keys_without_the_tower_s_name(load, copied: Path) -> None:
    (copied / "unet" / "diffusion_pytorch_model.safetensors").rename(
        copied / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    )
    weights = load_file(copied / "image_encoder" / "model.safetensors")
    renamed = {key.removeprefix("vision_model."): value for key, value in weights.items()}
    save_file(renamed, copied / "image_encoder" / "model.safetensors")
    _, vision, _ = load(copied)
    assert set(vision.get_sd()) == {
        key if key.startswith("visual") else f"vision_model.{key.removeprefix('vision_model.')}" for key in weights
    }


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_weights_split_into_several_files_are_read(load, copied: Path, variant: str) -> None:
    whole, _, _ = load(copied)
    expected = whole.model.diffusion_model.state_dict()
    path = copied / "unet" / "diffusion_pytorch_model.safetensors"
    weights = list(load_file(path).items())
    path.unlink()
    for number, part in enumerate((weights[::2], weights[1::2]), start=1):
        save_file(dict(part), copied / "unet" / f"diffusion_pytorch_model{variant}-0000{number}-of-00002.safetensors")
    split, _, _ = load(copied)
    assert all(torch.equal(value, expected[key]) for key, value in split.model.diffusion_model.state_dict().items())


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("vae/config.json", r"Expected a JSON object of settings at .*vae/config\.json, found .*No such file"),
        ("unet/diffusion_pytorch_model.safetensors", r"Expected diffusion_pytorch_model\.safetensors or .*fp16"),
        ("image_encoder/model.safetensors", r"Expected model\.safetensors or model\.fp16\.safetensors in .*image_enc"),
        ("scheduler/scheduler_config.json", r"Expected a JSON object of settings at .*scheduler_config\.json"),
    ],
)
def test_a_missing_part_is_named(load, copied: Path, part: str, message: str) -> None:
    (copied / part).unlink()
    with pytest.raises((VideoModelNotFound, ModelFilesRefused), match=message):
        load(copied)


def test_other_models_are_refused(load, copied: Path) -> None:
    _change(copied / "unet" / "config.json", num_attention_heads=[2, 2])
    with pytest.raises(VideoModelNotFound, match=r"heads of one size in all levels, as SVD's, received \[2, 2\] heads"):
        load(copied)
    _change(copied / "unet" / "config.json", num_attention_heads=[2, 4])
    _change(copied / "vae" / "config.json", _class_name="AutoencoderTiny")
    with pytest.raises(ModelFilesRefused, match=r"Expected the settings of AutoencoderKL.* those of AutoencoderTiny"):
        load(copied)


@pytest.mark.parametrize(
    ("path", "key", "message"),
    [
        ("unet/diffusion_pytorch_model", "conv_out.bias", r"built otherwise: missing: out\.2\.bias \[4\]"),
        ("image_encoder/model", "visual_projection.weight", "Expected a CLIP vision model .*missing: visual_proj"),
    ],
)
def test_missing_weights_are_listed(load, copied: Path, path: str, key: str, message: str) -> None:
    weights = load_file(copied / f"{path}.safetensors")
    del weights[key]
    save_file(weights, copied / f"{path}.safetensors")
    with pytest.raises(VideoModelNotFound, match=message):
        load(copied)


def test_memory_is_estimated_as_for_svd_s_codec(load, folder: Path) -> None:
    _, _, vae = load(folder)
    scale = vae.first_stage_model.codec.config.block_out_channels[0] / 128
    assert vae.memory_used_decode((8, 4, 72, 128), torch.float16) == pytest.approx(2178 * scale * 576 * 1024 * 2)
    assert vae.model_size() == sum(p.nbytes for p in vae.first_stage_model.parameters())


def test_previews_are_for_svd_s_own_latents_alone(comfy: Any, tiny_pipeline_folder: Path) -> None:
    from motionrag_nodes.backbones.svd.native import load_native_unet

    published = load_native_unet(tiny_pipeline_folder, latent_scale=0.18215).model.latent_format
    other = load_native_unet(tiny_pipeline_folder, latent_scale=0.5).model.latent_format
    assert published.latent_rgb_factors is not None
    assert other.latent_rgb_factors is None
    assert (published.scale_factor, other.scale_factor) == (0.18215, 0.5)


def test_a_codec_of_more_channels_takes_the_empty_latents_of_comfyui_s_nodes(comfy: Any, copied: Path) -> None:
    from comfy.sample import fix_empty_latent_channels
    from diffusers import UNetSpatioTemporalConditionModel

    from motionrag_nodes.backbones.svd.native import load_native_unet

    config = json.loads((copied / "unet" / "config.json").read_text())
    wide = UNetSpatioTemporalConditionModel.from_config({**config, "in_channels": 32, "out_channels": 16})
    shutil.rmtree(copied / "unet")
    wide.save_pretrained(copied / "unet")
    model = load_native_unet(copied, latent_scale=0.18215)
    assert model.model.latent_format.latent_rgb_factors is None  # not SVD's colours, though of its scale
    empty = fix_empty_latent_channels(model, torch.zeros(4, 4, 8, 8))
    assert empty.shape == (4, 16, 8, 8)
    answer = model.model.diffusion_model(
        torch.cat([empty, empty], dim=1),
        torch.full((4,), 0.4),
        context=torch.zeros(4, 1, config["cross_attention_dim"]),
        y=model.model.encode_adm(fps=4, motion_bucket_id=100, augmentation_level=0.0).expand(4, -1),
        num_video_frames=4,
    )
    assert answer.shape == empty.shape

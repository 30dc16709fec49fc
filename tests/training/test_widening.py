"""Widened models do what the narrow ones did."""

import pytest
import torch
from diffusers import AutoencoderKL, UNetSpatioTemporalConditionModel

from motionrag_nodes.checkpoints.pack import PACKAGED_FOLDER
from training import sizes
from training.encoders import codec
from training.scripts import ScriptedBase
from training.warm_start import load_from_pack
from training.widening import widen


def narrow_codec(channels: int) -> AutoencoderKL:
    return AutoencoderKL.from_config({**sizes.codec().config, "latent_channels": channels}).eval()


def thin_codec() -> AutoencoderKL:
    widths = [width // 2 for width in sizes.CODEC_WIDTHS[:-1]]
    config = {**sizes.codec().config, "block_out_channels": (*widths, sizes.CODEC_WIDTHS[-1])}
    return AutoencoderKL.from_config(config).eval()


def narrow_unet(channels: int) -> UNetSpatioTemporalConditionModel:
    config = {**sizes.base_unet().config, "in_channels": 2 * channels, "out_channels": channels}
    return UNetSpatioTemporalConditionModel.from_config(config).eval()


def test_a_wider_codec_gives_back_the_same_pictures() -> None:
    torch.manual_seed(0)
    narrow, wide = narrow_codec(4), codec.build().eval()
    wide.load_state_dict(widen("codec", narrow.state_dict(), wide.state_dict()))
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        latents, wider = (model.encode(pixels).latent_dist for model in (narrow, wide))
        assert torch.allclose(wider.mode()[:, :4], latents.mode(), atol=1e-5)
        assert torch.allclose(wider.logvar[:, :4], latents.logvar, atol=1e-5)
        decoded, again = (model.decode(found.mode()).sample for model, found in ((narrow, latents), (wide, wider)))
    assert torch.allclose(again, decoded, atol=1e-5)
    assert wider.mode()[:, 4:].std() > 0


def test_a_codec_of_twice_the_width_does_the_same_and_its_channels_learn_apart() -> None:
    torch.manual_seed(0)
    thin, wide = thin_codec(), codec.build().eval()
    wide.load_state_dict(widen("codec", thin.state_dict(), wide.state_dict()))
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(wide.encode(pixels).latent_dist.mode(), thin.encode(pixels).latent_dist.mode(), atol=1e-5)
    pictures = wide(pixels).sample
    assert torch.allclose(pictures, thin(pixels).sample, atol=1e-5)
    pictures.square().mean().backward()
    first, second = wide.encoder.conv_in.weight.grad[: sizes.CODEC_WIDTHS[0] // 2].chunk(2)
    assert not torch.allclose(first, second, rtol=0.1)


def test_a_wider_base_answers_the_same_in_the_old_channels() -> None:
    torch.manual_seed(0)
    narrow, wide = narrow_unet(4), ScriptedBase().eval()
    state = {f"unet.{key}": value for key, value in narrow.state_dict().items()}
    missing, _ = wide.load_state_dict(widen("base", state, wide.state_dict()), strict=False)
    assert all(key.startswith("scripts.") for key in missing)
    noisy, image = torch.randn(2, 1, sizes.FRAMES, sizes.LATENT_CHANNELS, 8, 8)
    told = {"encoder_hidden_states": torch.randn(1, 1, sizes.TOKEN_DIM), "added_time_ids": torch.zeros(1, 3)}
    with torch.no_grad():
        expected = narrow(torch.cat([noisy[:, :, :4], image[:, :, :4]], dim=2), torch.zeros(1), **told).sample
        received = wide.unet(torch.cat([noisy, image], dim=2), torch.zeros(1), **told).sample
    assert torch.allclose(received[:, :, :4], expected, atol=1e-5)


def test_weights_of_the_same_width_stay_as_they_are() -> None:
    state = codec.build().state_dict()
    assert all(value is state[key] for key, value in widen("codec", state, codec.build().state_dict()).items())


def test_what_no_latents_explain_is_left_to_be_refused() -> None:
    state = {"encoder.conv_in.weight": torch.zeros(8, 3, 3, 3)}
    model = codec.build()
    with pytest.raises(RuntimeError, match=r"size mismatch for encoder\.conv_in\.weight"):
        model.load_state_dict(widen("codec", state, model.state_dict()), strict=False)


def test_the_packaged_codec_can_be_gone_on_from() -> None:
    torch.manual_seed(0)
    wide = codec.build().eval()
    load_from_pack("codec", wide, PACKAGED_FOLDER / "tiny")
    packaged = AutoencoderKL.from_pretrained(PACKAGED_FOLDER / "tiny" / "base" / "vae").float().eval()
    pixels = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        expected, received = (
            model.decode(model.encode(pixels).latent_dist.mode()).sample for model in (packaged, wide)
        )
    assert torch.allclose(received, expected, atol=1e-4)

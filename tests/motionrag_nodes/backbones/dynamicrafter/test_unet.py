"""The UNet gives what the published one computed with the same weights, with and without motion."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.injection import Entering, attach, require_fit
from motionrag_nodes.backbones.dynamicrafter.sites import hosts
from motionrag_nodes.backbones.dynamicrafter.unet import DynamiCrafterUNet, UNetConfig

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def published(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("golden")("dynamicrafter_unet")


@pytest.fixture(scope="module")
def unet(published: Any) -> DynamiCrafterUNet:
    names = UNetConfig.__dataclass_fields__
    sizes = {k: tuple(v) if isinstance(v, list) else v for k, v in published.config.items() if k in names}
    made = DynamiCrafterUNet(UNetConfig(**sizes)).eval()
    made.load_state_dict(published.group("base"), strict=True)
    return made


@pytest.fixture(scope="module")
def adapter(published: Any, unet: DynamiCrafterUNet) -> MotionAdapter:
    widths = {site: host.width for site, host in hosts(unet).items()}
    made = MotionAdapter(token_dim=24, site_dims=widths, root="model.diffusion_model")
    state = published.group("adapter")
    made.load_state_dict(
        {
            key.replace(f"to_{role}_a.weight", f"processor.to_{role}_ip.0.weight"): value
            for key, value in state.items()
            for role in (key[-len("q_a.weight")],)
        },
        strict=True,
    )
    return made


def answer(unet: DynamiCrafterUNet, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return unet(
            inputs["sample"],
            inputs["timestep"],
            text=inputs["text_embeddings"],
            image=inputs["image_tokens"],
            frame_stride=inputs["frame_stride"],
        )


def test_without_motion(unet: DynamiCrafterUNet, published: Any) -> None:
    made = answer(unet, published.group("inputs"))
    assert (made - published.tensors["outputs.sample_without_adapter"]).abs().max() < TOLERANCE


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_with_motion(unet: DynamiCrafterUNet, adapter: MotionAdapter, published: Any, scale: float) -> None:
    inputs = published.group("inputs")
    require_fit(hosts(unet), adapter)
    with attach(hosts(unet)) as injection, torch.no_grad():
        injection.enter(Entering.of(adapter, inputs["motion_tokens"], scale=scale))
        made = answer(unet, inputs)
        injection.require_passes()
    assert (made - published.tensors[f"outputs.sample_scale_{scale}"]).abs().max() < TOLERANCE
    assert (made - published.tensors["outputs.sample_without_adapter"]).abs().max() > 1e-2


def test_scale_zero_leaves_the_model_unchanged(unet: DynamiCrafterUNet, adapter: MotionAdapter, published: Any) -> None:
    inputs = published.group("inputs")
    plain = answer(unet, inputs)
    with attach(hosts(unet)) as injection, torch.no_grad():
        injection.enter(Entering.of(adapter, inputs["motion_tokens"], scale=0.0))
        assert torch.equal(answer(unet, inputs), plain)
    assert torch.equal(answer(unet, inputs), plain)


def test_every_condition_is_heard(unet: DynamiCrafterUNet, published: Callable[..., Any]) -> None:
    inputs = published.group("inputs")
    plain = answer(unet, inputs)
    for name in ("timestep", "text_embeddings", "image_tokens", "frame_stride"):
        other = inputs[name] + 7 if inputs[name].dtype == torch.int64 else inputs[name].roll(1, dims=-1)
        assert not torch.allclose(answer(unet, inputs | {name: other}), plain, atol=1e-4), name


def test_the_picture_tokens_of_a_frame_are_that_frames(unet: DynamiCrafterUNet, published: Any) -> None:
    """Frames hear each other, but another frame's tokens are not simply swapped in: order matters."""
    inputs = published.group("inputs")
    frames = inputs["sample"].shape[2]
    swapped = inputs["image_tokens"].unflatten(1, (frames, -1)).flip(1).flatten(1, 2)
    assert not torch.allclose(answer(unet, inputs | {"image_tokens": swapped}), answer(unet, inputs), atol=1e-4)


def test_the_published_size_has_the_published_sites() -> None:
    with torch.device("meta"):
        found = hosts(DynamiCrafterUNet(UNetConfig()))
    widths = {site: host.width for site, host in found.items()}
    assert len(widths) == 16
    assert widths["input_blocks.1.1.transformer_blocks.0.attn2"] == 320
    assert widths["middle_block.1.transformer_blocks.0.attn2"] == 1280
    assert widths["output_blocks.11.1.transformer_blocks.0.attn2"] == 320
    assert {host.heads * 64 for host in found.values()} == {320, 640, 1280}

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from motionrag_nodes.checkpoints.pack import PACKAGED_FOLDER
from training import base
from training.data import draw_clips
from training.demo_world.world import render_clip
from training.encoders import retrieval
from training.encoders.codec import to_pixels
from training.sizes import FRAMES, SIZE_PIXELS


def test_moving_latents_weigh_more_and_a_clip_as_much_as_any_other() -> None:
    latents = torch.zeros(2, 4, 3, 8, 8)
    latents[0, 2:, :, 1, 1] = 2.0
    weight = base.moving_weight(latents)
    assert weight.shape == (2, 4, 1, 8, 8)
    assert weight.mean((1, 2, 3, 4)).tolist() == pytest.approx([1, 1])
    assert float(weight[0, 2, 0, 1, 1] / weight[0, 0, 0, 1, 1]) == pytest.approx(1 + base.MOVING_WEIGHT)
    assert weight[1].unique().tolist() == [1]


def test_both_where_a_sprite_is_and_where_it_was_are_moving() -> None:
    [spec], [clip] = draw_clips(np.random.default_rng(0), 1, frames=8, motions=["left"])
    # a codec that keeps every eighth pixel's neighbourhood as its mean
    latents = torch.nn.functional.avg_pool2d(to_pixels(clip), 8)[None]
    moving = base.moving_weight(latents)[0, -1, 0] > 1
    path = spec.trajectory(8)

    def place(moment: int) -> tuple[int, int]:
        return int((0.5 - spec.y - path.dy[moment]) * 8), int((0.5 + spec.x + path.dx[moment]) * 8)

    assert moving[place(0)]
    assert moving[place(-1)]
    assert not moving[0].any()


def test_a_clip_taken_for_another_moves_as_it_does_and_differs_where_its_sprite_is() -> None:
    codec = AutoencoderKL.from_pretrained(PACKAGED_FOLDER / "tiny" / "base" / "vae")
    retriever, tokenizer = retrieval.build()
    frozen = base.Frozen(
        codec=codec, scaling_factor=codec.config.scaling_factor, retrieval=retriever, tokenizer=tokenizer
    )
    rng = np.random.default_rng(0)
    batch = replace(base.draw_batch(frozen, rng, 8, told=True), conditional=torch.arange(8) != 1)
    batch = replace(batch, sigma=torch.tensor([1.0, 20, 20, 20, 20, 20, 20, 20]))
    noise = base.draw_noise(rng, batch.latents)
    mistaken = base.mistaken_noise(frozen, rng, batch, noise)
    changed = [row for row in range(8) if not torch.equal(mistaken[row], noise[row])]
    assert changed == [2, 3]  # a quarter of eight, none with little noise, none without a first frame
    for row in changed:  # seen as pixels, since a codec's latents of one place tell of its surroundings, too
        own, shown = decode(codec, batch.latents[row]), decode(codec, batch.latents[row] + 20 * (mistaken - noise)[row])
        wrong = (shown - own).abs().mean(1)
        painted = render_clip(batch.specs[row], size=SIZE_PIXELS, frames=FRAMES).astype(int)
        sprite = torch.from_numpy((painted != painted[:, :1, :1]).any(3))
        assert wrong[sprite].mean() > 5 * wrong[~sprite].mean()


@torch.no_grad()
def decode(codec: AutoencoderKL, latents: torch.Tensor) -> torch.Tensor:
    """Latents [T, C, h, w] as a base sees them -> frames [T, 3, H, W], from -1 to 1."""
    return codec.decode(latents / codec.config.scaling_factor).sample


def test_without_clips_that_may_be_mistaken_noise_stays_as_it_is() -> None:
    batch = base.DiffusionBatch(
        specs=(), clips=np.zeros(0), latents=torch.zeros(2, 8, 4, 8, 8), image_latents=torch.zeros(2, 8, 4, 8, 8),
        embedding=torch.zeros(2, 1, 8), added_time_ids=torch.zeros(2, 3), sigma=torch.tensor([1.0, 20.0]),
        scripts=torch.zeros(2, 1, 32), conditional=torch.tensor([True, False]),
    )  # fmt: skip
    noise = torch.randn(2, 8, 4, 8, 8)
    frozen = base.Frozen(codec=None, scaling_factor=1.0, retrieval=None, tokenizer=None)
    assert base.mistaken_noise(frozen, np.random.default_rng(0), batch, noise) is noise

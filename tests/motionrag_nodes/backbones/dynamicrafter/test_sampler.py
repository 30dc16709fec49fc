"""Steps by diffusers' scheduler are those of the published formulas, written out here in numpy."""

import numpy as np
import pytest
import torch

from motionrag_nodes.backbones.dynamicrafter.sampler import make_scheduler, rescale_factors, step, timesteps


def published_alphas() -> np.ndarray:
    """Cumulated alphas of the schedule after its terminal SNR was made zero (arXiv 2305.08891, algorithm 1)."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    roots = np.sqrt(np.cumprod(1 - betas))
    first, last = roots[0], roots[-1]
    return ((roots - last) * first / (first - last)) ** 2


def test_the_schedule_ends_in_noise_alone() -> None:
    made = make_scheduler().alphas_cumprod
    assert made[-1] < 1e-6
    assert np.abs(made.numpy() - published_alphas()).max() < 1e-5


def test_thirty_steps_asked_for_are_31_taken() -> None:
    assert timesteps(30).tolist() == [991 - 33 * i for i in range(31)]
    assert all(0 < timesteps(steps).min() and timesteps(steps).max() < 1000 for steps in range(1, 1000))
    assert timesteps(50).tolist() == [981 - 20 * i for i in range(50)]


def test_latents_are_rescaled_towards_the_next_step() -> None:
    factors = rescale_factors(torch.tensor([991, 433, 400, 200, 1]))
    scale = np.concatenate([np.linspace(1, 0.3, 400), np.full(1000, 0.3)])
    expected = [1, 1, scale[200] / 0.3, scale[1] / scale[200], 1]
    assert np.allclose(factors.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("place", [0, 15, 29, 30])
def test_a_step_is_the_published_one(eta: float, place: int) -> None:
    rng = np.random.default_rng(place)
    sample, v, noise = (rng.standard_normal((1, 4, 2, 3, 3)) for _ in range(3))
    taken, alphas = timesteps(30), published_alphas()
    factors, now = rescale_factors(taken).numpy(), int(taken[place])
    a = alphas[now]
    before = alphas[int(taken[place + 1])] if place < 30 else alphas[0]
    sigma = eta * np.sqrt((1 - before) / (1 - a) * (1 - a / before))
    latent = (np.sqrt(a) * sample - np.sqrt(1 - a) * v) * factors[place]
    epsilon = np.sqrt(a) * v + np.sqrt(1 - a) * sample
    expected = np.sqrt(before) * latent + np.sqrt(1 - before - sigma**2) * epsilon + sigma * noise

    scheduler = make_scheduler()
    scheduler.set_timesteps(30)
    made = step(
        scheduler, torch.from_numpy(v), torch.from_numpy(sample), timestep=now, factor=float(factors[place]), eta=eta,
        noise=torch.from_numpy(noise),
    )  # fmt: skip
    assert np.abs(made.numpy() - expected).max() < 1e-4

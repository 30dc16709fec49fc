"""DynamiCrafter's DDIM steps: diffusers' scheduler, with the model's own rescaling of what it predicts.

The noise schedule has zero terminal SNR (Lin et al. 2023, arXiv 2305.08891), the model predicts v, and steps lie at
equal distances from the first on, as the method's published code takes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import DDIMScheduler

TRAINED_STEPS = 1000
# Latents were scaled down in training: from 1 at the first step to BASE_SCALE at TURNING_STEP and beyond.
BASE_SCALE, TURNING_STEP = 0.3, 400


def make_scheduler() -> DDIMScheduler:
    """diffusers' DDIM with the schedule that DynamiCrafter-1024 was trained with."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        num_train_timesteps=TRAINED_STEPS,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
    )


def timesteps(steps: int) -> Tensor:
    """The trained steps that are taken, from the noisiest on: often more than `steps`, unless it divides 1000."""
    return torch.arange(0, TRAINED_STEPS - 1, TRAINED_STEPS // steps).flip(0) + 1


def rescale_factors(taken: Tensor) -> Tensor:
    """What each predicted latent is multiplied by at the steps `taken`, [N] -> [N]."""
    scales = torch.cat([torch.linspace(1.0, BASE_SCALE, TURNING_STEP), torch.full((TRAINED_STEPS,), BASE_SCALE)])[taken]
    # Towards the scale of the next step, which is less noisy; the last step keeps its own.
    return torch.cat([scales[1:], scales[-1:]]) / scales


def step(
    scheduler: DDIMScheduler,
    prediction: Tensor,
    sample: Tensor,
    *,
    timestep: int,
    factor: float,
    eta: float,
    noise: Tensor,
) -> Tensor:
    """One step back: v-prediction, sample and noise [B, C, T, H, W] -> the less noisy sample."""
    made = scheduler.step(prediction, timestep, sample, eta=eta, variance_noise=noise)
    before = timestep - TRAINED_STEPS // scheduler.num_inference_steps
    kept = scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod
    # The scheduler added sqrt(kept) times the predicted latent; the model wants it rescaled.
    latents: Tensor = made.prev_sample + kept.sqrt().to(sample) * (factor - 1) * made.pred_original_sample
    return latents

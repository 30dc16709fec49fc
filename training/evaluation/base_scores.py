"""`python -m training.evaluation.base_scores --run RUN`: how well a base draws sprites, before it is part of a pack.

Clips that were never trained on are covered with noise, and the base, which is told by a script how they move, takes it
away: in one step from several amounts of noise, and in all the steps of a generation, few or many. Shape and colour of
the last frame are scored as `motionrag evaluate` does. A stage that is not finished is looked at as its last checkpoint
has it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from motionrag_nodes.attention.injection import Entering, attach
from motionrag_nodes.errors import PackNotFound
from training.assemble import GENERATION, video_scheduler
from training.base import MOTION_BUCKET_ID, DiffusionBatch, Frozen, denoised, draw_noise, embed_images
from training.encoders.codec import to_pixels
from training.evaluation.codec_scores import CASES, SCORES, as_cells, decode_frames, load_codec, weights_so_far
from training.evaluation.protocol.cases import Case, draw_cases
from training.evaluation.scores.scores import sprite_scores
from training.runner import autocast
from training.scripts import ScriptedBase, write_scripts
from training.sizes import FPS, FRAMES, SIZE_PIXELS, hosts
from training.stages import load_frozen

SIGMAS, STEPS = (80.0, 20.0, 5.0, 1.0), (2, 4, 8, 20)


def load_base(run: Path) -> ScriptedBase:
    """The base of a run's folder, see `weights_so_far`."""
    model = ScriptedBase()
    model.load_state_dict(weights_so_far(run, "base"))
    return model.eval()


@torch.no_grad()
def scripted_batch(frozen: Frozen, cases: Sequence[Case]) -> DiffusionBatch:
    """Cases as a base is trained on them: each with its script, at sigma 0."""
    clips, count = np.stack([case.real(size=SIZE_PIXELS, frames=FRAMES) for case in cases]), len(cases)
    latents = frozen.codec.encode(to_pixels(clips).flatten(0, 1)).latent_dist.mode().unflatten(0, (count, FRAMES))
    ids = [FPS - 1.0, MOTION_BUCKET_ID, GENERATION.noise_aug_strength]
    specs = [case.spec for case in cases]
    return DiffusionBatch(
        specs=specs,
        clips=clips,
        latents=latents * frozen.scaling_factor,
        image_latents=latents[:, :1].expand_as(latents),
        embedding=embed_images(frozen, clips[:, 0])[:, None],
        added_time_ids=torch.tensor([ids]).repeat(count, 1),
        sigma=torch.zeros(count),
        scripts=write_scripts(specs),
        conditional=torch.ones(count, dtype=torch.bool),
    )


@torch.no_grad()
def drawn_by(model: ScriptedBase, batch: DiffusionBatch, sigmas: Sequence[float], noise: Tensor) -> Tensor:
    """Latents [B, T, C, h, w] of clips covered with noise of the first sigma, denoised through all of them to 0."""
    noisy = batch.latents + sigmas[0] * noise
    with attach(hosts(model.unet)) as injection:
        with autocast():
            injection.enter(Entering.of(model.scripts, batch.scripts))
        for sigma, following in zip(sigmas, (*sigmas[1:], 0.0), strict=True):
            clean = denoised(model.unet, replace(batch, sigma=torch.full_like(batch.sigma, sigma)), noisy)
            noisy = clean + following / sigma * (noisy - clean)  # Euler's method
    return noisy


def all_sigmas(steps: int) -> list[float]:
    """Those of a generation of so many steps by the pack's scheduler, from the most noise to the least."""
    scheduler = video_scheduler()
    scheduler.set_timesteps(steps)
    return scheduler.sigmas[:-1].tolist()  # the last is 0


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.base_scores", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/tiny"), help="a run's folder (default runs/tiny)")
    parser.add_argument("--decoder", type=Path, help="the run that has stage decoder (default: this one's codec)")
    parser.add_argument("--clips", type=int, default=32, help="clips a row (default 32)")
    arguments = parser.parse_args()
    try:
        model = load_base(arguments.run)
        codec = load_codec(arguments.decoder or arguments.run, "decoder" if arguments.decoder else "codec")
    except PackNotFound as error:
        parser.error(str(error))
    frozen = load_frozen(arguments.run)
    console = Console()
    for cases in CASES:
        batch = scripted_batch(frozen, draw_cases(cases, arguments.clips))
        noise = draw_noise(np.random.default_rng(0), batch.latents)
        table = Table("denoised", *SCORES, title=f"Last frames of {arguments.clips} clips, {cases}, 95 % intervals")
        ways = {"not at all": [], **{f"in one step from sigma {sigma:g}": [sigma] for sigma in SIGMAS}}
        for name, sigmas in {**ways, **{f"in {steps} steps": all_sigmas(steps) for steps in STEPS}}.items():
            latents = drawn_by(model, batch, sigmas, noise) if sigmas else batch.latents
            frames = decode_frames(codec, latents[:, -1] / frozen.scaling_factor)
            table.add_row(
                name, *as_cells(sprite_scores(real=list(batch.clips[:, -1:]), generated=list(frames[:, None])))
            )
        console.print(table)


if __name__ == "__main__":
    main()

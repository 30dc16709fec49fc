"""`python -m training.evaluation.classifier_lesson`: train the independent judge, and measure it on held-out clips."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from training.demo_world.world import draw_spec, render_clip
from training.evaluation.scores.classifier import (
    JUDGED_FRAMES,
    KINDS,
    RECORD,
    WEIGHTS,
    MotionClassifier,
    as_judged,
    load_classifier,
    motion_logits,
)
from training.runner import Loss, Recipe, console, train
from training.sizes import SIZE_PIXELS

# Far from the seeds of every other stage: it shares no clip with what the generator saw.
RECIPE = Recipe(steps=400, batch=48, lr=2e-3, ema_decay=0.99, seed=900_001)
HELD_OUT_SEED = 900_002
HELD_OUT_CLIPS = 500
UNSEEN_OBJECT_SHARE = 0.3


def draw_judged(rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Clips of all kinds and objects as RGB in [0, 1], [count, 8, 3, 64, 64], and their kinds [count].

    They travel 0.6 to 1.3 times as far as real ones, since a generated sprite need not keep to the world's law.
    """
    clips, kinds = [], []
    for _ in range(count):
        kind = int(rng.integers(len(KINDS)))
        split = "unseen_object" if rng.random() < UNSEEN_OBJECT_SHARE else "train"
        spec = draw_spec(rng, split=split, motions=[KINDS[kind]])
        spec = replace(spec, reach=spec.reach * float(rng.uniform(0.6, 1.3)))
        clips.append(render_clip(spec, size=SIZE_PIXELS, frames=JUDGED_FRAMES))
        kinds.append(kind)
    pixels = torch.from_numpy(np.stack(clips)).permute(0, 1, 4, 2, 3).float() / 255
    return pixels, torch.tensor(kinds)


def as_if_generated(clips: Tensor, rng: np.random.Generator) -> Tensor:
    """What generation does to clips [B, 8, 3, 32, 32]: soft outlines, blotches, grain, ghosts, fading, wrong levels."""
    batch, frames, channels, size, _ = clips.shape

    def each(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (batch, 1, 1, 1, 1))).float()

    def noise(*shape: int) -> Tensor:
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))

    flat = clips.flatten(0, 1)
    soft = F.avg_pool2d(F.avg_pool2d(flat, 3, 1, 1, count_include_pad=False), 3, 1, 1, count_include_pad=False)
    clips = clips.lerp(soft.view_as(clips), each(0, 1))
    ghost = torch.cat([clips[:, :1], clips[:, :-1]], dim=1)
    clips = clips.lerp(ghost, each(-0.3, 0.4).clamp(min=0))
    fading = 1 + (each(0.5, 1.1) - 1) * torch.linspace(0, 1, frames).view(1, -1, 1, 1, 1)
    background = clips.flatten(3).median(dim=3).values[..., None, None]
    clips = background + (clips - background) * fading
    blotches = F.interpolate(noise(batch * frames, channels, 8, 8), size=(size, size), mode="bilinear")
    clips = clips + each(0, 0.07) * blotches.view_as(clips) + each(0, 0.05) * noise(*clips.shape)
    return (clips * each(0.8, 1.1) + each(-0.06, 0.03)).clamp(0, 1)


def make_loss(model: MotionClassifier) -> Loss:
    """Cross-entropy over clips as if generated; smoothed labels keep the logits within bounds."""

    def loss(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        clips, kinds = draw_judged(rng, batch)
        logits = model(as_if_generated(as_judged(clips), rng))
        return {"kind": F.cross_entropy(logits, kinds, label_smoothing=0.05)}

    return loss


def held_out_accuracy(model: MotionClassifier) -> dict[str, float]:
    """Share of held-out clips that are named rightly: real ones as they are, and the same as if generated."""
    rng = np.random.default_rng(HELD_OUT_SEED)
    kinds = [KINDS[number % len(KINDS)] for number in range(HELD_OUT_CLIPS)]
    specs = [draw_spec(rng, motions=[kind]) for kind in kinds]
    real = [render_clip(spec, size=SIZE_PIXELS, frames=JUDGED_FRAMES) for spec in specs]
    pixels = torch.from_numpy(np.stack(real)).permute(0, 1, 4, 2, 3).float() / 255
    spoilt = (as_if_generated(as_judged(pixels), rng) * 255).round().byte().permute(0, 1, 3, 4, 2).numpy()
    truth = np.array([KINDS.index(kind) for kind in kinds])
    return {
        name: float((motion_logits(model, list(clips)).argmax(1) == truth).mean())
        for name, clips in (("real", real), ("as if generated", spoilt))
    }


def main() -> None:
    """Train to the end of the recipe (resumable), then write weights and record beside the judge."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.classifier_lesson", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/evaluation"), help="checkpoints and log")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(RECIPE.seed)
    model = MotionClassifier()
    weights = train("classifier", model, make_loss(model), RECIPE, run_folder=arguments.run)
    temporary = WEIGHTS.with_suffix(".tmp")
    save_file({name: value.contiguous() for name, value in weights.items()}, temporary)
    temporary.chmod(0o644)  # safetensors writes for the owner alone
    os.replace(temporary, WEIGHTS)
    record = {
        "seed": RECIPE.seed,
        "steps": RECIPE.steps,
        "clips": RECIPE.steps * RECIPE.batch,
        "held_out_seed": HELD_OUT_SEED,
        "held_out_clips": HELD_OUT_CLIPS,
        "accuracy": held_out_accuracy(load_classifier()),
    }
    RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    console.print(record["accuracy"])


if __name__ == "__main__":
    main()

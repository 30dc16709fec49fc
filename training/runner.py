"""One training loop for every stage: resumable, logged, averaged (EMA), and data-parallel under torchrun."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from rich.console import Console
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from training.muon import Muon

console = Console()
CHECKPOINT_EVERY_SEC = 60.0
# The first layer and the last stay with AdamW, as Muon's author advises.
OUTERMOST = ("conv_in", "conv_out")


@dataclass(frozen=True)
class Recipe:
    """How long and how fast a stage learns. `batch` is per process; `lr` decays to 2 % of itself along a cosine.

    With `muon`, matrices within the model follow Muon, and AdamW has the rest, at the same rate.
    """

    steps: int
    batch: int
    lr: float
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    warmup_steps: int = 100
    ema_decay: float = 0.995
    seed: int = 0
    muon: bool = False


# loss(rng, batch) -> named scalars; the sum of all of them is minimised
Loss = Callable[[np.random.Generator, int], dict[str, Tensor]]


def world() -> tuple[int, int]:
    """(rank, processes), joining torchrun's group on first use."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
    return int(os.environ.get("RANK", "0")), processes


def autocast() -> torch.autocast:
    """bfloat16 where the processor, which trains even beside an accelerator, multiplies it in hardware (AMX, AVX-512
    BF16), else float32 as it is."""
    units = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    fast = any(getattr(torch.cpu, unit, lambda: False)() for unit in units)
    return torch.autocast("cpu", torch.bfloat16, enabled=fast)


def attention() -> AbstractContextManager[None]:
    """Attention by plain matrices: over 8 frames or 64 places they pass backwards much faster than the fused kernel,
    and a step of the base takes 0.17 to 0.18 s a clip in place of 0.20 (`training/README.md`)."""
    return sdpa_kernel(SDPBackend.MATH)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine down to 2 %."""
    warm = min(1.0, (step + 1) / recipe.warmup_steps)
    return recipe.lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / recipe.steps))))


def make_optimizers(model: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """One or two optimizers over all that may learn."""
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    matrices = {
        name: p
        for name, p in learning.items()
        if recipe.muon and p.ndim > 1 and not any(layer in OUTERMOST for layer in name.split("."))
    }
    rest = [p for name, p in learning.items() if name not in matrices]
    adamw = torch.optim.AdamW(rest, lr=recipe.lr, weight_decay=recipe.weight_decay, betas=(0.9, 0.98))
    muon = [Muon(matrices.values(), lr=recipe.lr, weight_decay=recipe.weight_decay)] if matrices else []
    return [adamw, *muon]


def _average_gradients(parameters: list[nn.Parameter], processes: int) -> None:
    """One all-reduce over all gradients laid end to end."""
    flat = torch.cat([p.grad.reshape(-1) for p in parameters])
    dist.all_reduce(flat)
    flat /= processes
    offset = 0
    for p in parameters:
        p.grad.copy_(flat[offset : offset + p.numel()].view_as(p))
        offset += p.numel()


def _save(path: Path, state: dict) -> None:
    """Atomically: a kill leaves the old checkpoint or the new one."""
    torch.save(state, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def train(name: str, model: nn.Module, loss: Loss, recipe: Recipe, *, run_folder: Path) -> dict[str, Tensor]:
    """Train `model` to the end of its recipe, from where an earlier run stopped; returns the averaged weights.

    Batches are drawn from (seed, step, rank), so a resumed run sees what an undisturbed one would have seen. Writes
    `<name>.pt` (checkpoint) and `<name>.csv` (step, seconds, learning rate, losses) into `run_folder`.
    """
    rank, processes = world()
    run_folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = run_folder / f"{name}.pt", run_folder / f"{name}.csv"
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizers = make_optimizers(model, recipe)
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    step, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, kept in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        average, step, seconds = state["average"], state["step"], state["seconds"]
    started, saved, told = time.monotonic() - seconds, time.monotonic(), time.monotonic()
    model.train()
    while step < recipe.steps:
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = learning_rate(recipe, step)
        parts = loss(np.random.default_rng([recipe.seed, step, rank]), recipe.batch)
        model.zero_grad(set_to_none=False)
        sum(parts.values()).backward()
        if processes > 1:
            _average_gradients(parameters, processes)
        nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
        for optimizer in optimizers:
            optimizer.step()
        decay = min(recipe.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for key, value in model.state_dict().items():
                average[key].lerp_(value, 1 - decay) if value.is_floating_point() else average[key].copy_(value)
        step += 1
        now = time.monotonic()
        if rank == 0 and (now - told > 10 or step == recipe.steps):
            told = now
            _report(log, name, step, recipe, now - started, parts)
        if rank == 0 and (now - saved > CHECKPOINT_EVERY_SEC or step == recipe.steps):
            saved = now
            state = {"model": model.state_dict(), "average": average, "step": step, "seconds": now - started}
            _save(checkpoint, {**state, "optimizers": [optimizer.state_dict() for optimizer in optimizers]})
    return average


def _report(log: Path, name: str, step: int, recipe: Recipe, seconds: float, parts: dict[str, Tensor]) -> None:
    """A line for people and a line for the plot."""
    values = {k: float(v.detach()) for k, v in parts.items()}
    left_min = seconds / step * (recipe.steps - step) / 60
    told = "  ".join(f"{k} {v:.4f}" for k, v in values.items())
    console.log(f"{name}: step {step}/{recipe.steps}  {told}  {seconds:.0f} s, {left_min:.1f} min left")
    new = not log.exists()
    with log.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["step", "seconds", "learning_rate", *values])
        writer.writerow(
            [step, f"{seconds:.1f}", f"{learning_rate(recipe, step):.3g}", *(f"{v:.5f}" for v in values.values())]
        )

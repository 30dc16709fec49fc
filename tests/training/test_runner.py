"""The training loop resumes to the very weights of an undisturbed run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import training.runner as runner
from training.runner import Recipe, learning_rate, train

RECIPE = Recipe(steps=12, batch=4, lr=1e-2, warmup_steps=2)


class Interrupted(Exception):
    """Stands for the end of a process."""


def make(stop_at: int | None = None):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    calls = []

    def loss(rng: np.random.Generator, batch: int) -> dict[str, torch.Tensor]:
        calls.append(batch)
        if stop_at is not None and len(calls) > stop_at:
            raise Interrupted
        x = torch.from_numpy(rng.standard_normal((batch, 3), dtype=np.float32))
        return {"mse": ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()}

    return model, loss


def test_resumed_run_equals_undisturbed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CHECKPOINT_EVERY_SEC", 0.0)
    undisturbed = train("stage", *make(), RECIPE, run_folder=tmp_path / "a")
    with pytest.raises(Interrupted):
        train("stage", *make(stop_at=7), RECIPE, run_folder=tmp_path / "b")
    resumed = train("stage", *make(), RECIPE, run_folder=tmp_path / "b")
    for key, value in undisturbed.items():
        assert torch.equal(resumed[key], value)


def test_training_learns(tmp_path: Path) -> None:
    recipe = Recipe(steps=300, batch=32, lr=3e-2, warmup_steps=2)
    weights = train("stage", *make(), recipe, run_folder=tmp_path)
    assert torch.allclose(weights["weight"], torch.ones(1, 3), atol=0.1)


def test_learning_rate_warms_up_and_decays() -> None:
    assert learning_rate(RECIPE, 0) == pytest.approx(5e-3)
    assert learning_rate(RECIPE, 12) == pytest.approx(2e-4)

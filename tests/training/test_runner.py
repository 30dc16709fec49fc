"""The training loop resumes to the very weights of an undisturbed run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import training.runner as runner
from training.runner import Recipe, autocast, learning_rate, make_optimizers, train

RECIPE = Recipe(steps=12, batch=4, lr=1e-2, warmup_steps=2)


class Interrupted(Exception):
    """Stands for the end of a process."""


def make(stop_at: int | None = None):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    calls = []

    def loss(rng: np.random.Generator, batch: int) -> dict[str, torch.Tensor]:
        calls.append(batch)
        if stop_at is not None and len(calls) > stop_at:
            raise Interrupted
        x = torch.from_numpy(rng.standard_normal((batch, 3), dtype=np.float32))
        return {"mse": ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()}

    return model, loss


@pytest.mark.parametrize("muon", [False, True])
def test_resumed_run_equals_undisturbed_run(muon: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CHECKPOINT_EVERY_SEC", 0.0)
    recipe = replace(RECIPE, muon=muon)
    undisturbed = train("stage", *make(), recipe, run_folder=tmp_path / "a")
    with pytest.raises(Interrupted):
        train("stage", *make(stop_at=7), recipe, run_folder=tmp_path / "b")
    resumed = train("stage", *make(), recipe, run_folder=tmp_path / "b")
    for key, value in undisturbed.items():
        assert torch.equal(resumed[key], value)


def test_training_learns(tmp_path: Path) -> None:
    recipe = Recipe(steps=300, batch=32, lr=3e-2, warmup_steps=2)
    weights = train("stage", *make(), recipe, run_folder=tmp_path)
    assert torch.allclose(weights["1.weight"] @ weights["0.weight"], torch.ones(1, 3), atol=0.1)


def test_muon_has_the_matrices_within_a_model_and_adamw_the_rest() -> None:
    model = nn.ModuleDict({"conv_in": nn.Conv2d(2, 4, 3), "middle": nn.Conv2d(4, 4, 3), "conv_out": nn.Conv2d(4, 2, 3)})
    model["middle"].bias.requires_grad_(False)
    adamw, muon = make_optimizers(model, replace(RECIPE, muon=True))
    of = {id(p): name for name, p in model.named_parameters()}
    assert [of[id(p)] for p in muon.param_groups[0]["params"]] == ["middle.weight"]
    assert {of[id(p)] for p in adamw.param_groups[0]["params"]} == {
        "conv_in.weight", "conv_in.bias", "conv_out.weight", "conv_out.bias",
    }  # fmt: skip
    [only] = make_optimizers(model, RECIPE)
    assert len(only.param_groups[0]["params"]) == 5


def test_learning_rate_warms_up_and_decays() -> None:
    assert learning_rate(RECIPE, 0) == pytest.approx(5e-3)
    assert learning_rate(RECIPE, 12) == pytest.approx(2e-4)


def test_an_accelerator_beside_the_processor_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a = torch.ones(2, 2)

    def precision() -> torch.dtype:
        with autocast():
            return (a @ a).dtype

    alone = precision()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert precision() == alone

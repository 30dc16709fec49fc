import pytest
import torch
from torch import nn

from training.muon import ADAMW_SIZE, Muon, orthogonalized


@pytest.mark.parametrize("shape", [(6, 6), (4, 24), (24, 4)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.logspace(0, -1, min(shape))  # the least is a tenth of the largest
    made = orthogonalized(left @ torch.diag(values) @ right)
    turned = left.T @ made @ right.T
    found = turned.diagonal()
    assert ((found > 0.6) & (found < 1.3)).all()
    assert (turned - torch.diag(found)).abs().max() < 0.03  # bfloat16


def test_what_does_not_move_stays_finite() -> None:
    assert not orthogonalized(torch.zeros(3, 5)).any()


def test_a_step_is_as_large_as_adamw_s() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(32, 32))
    weight.grad = torch.randn(32, 32)
    Muon([weight], lr=0.01).step()
    size = float(weight.detach().square().mean().sqrt())
    assert size == pytest.approx(0.01 * ADAMW_SIZE, rel=0.25)


def test_rare_directions_are_followed_as_far_as_frequent_ones() -> None:
    weight = nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.diag(torch.tensor([1.0, 0.1]))
    Muon([weight], lr=1.0, weight_decay=0).step()
    moved = weight.detach().abs()
    assert float(moved[1, 1] / moved[0, 0]) > 0.5


def test_a_convolution_learns_and_unused_weights_stay() -> None:
    torch.manual_seed(0)
    true, model, unused = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Parameter(torch.ones(2, 2))
    optimizer = Muon([model.weight, unused], lr=0.05, weight_decay=0)
    model.bias.data.copy_(true.bias.data)
    errors = []
    for step in range(150):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 150)
        x = torch.randn(4, 3, 6, 6)
        error = ((model(x) - true(x)) ** 2).mean()
        model.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error))
    assert errors[-1] < 0.01 * errors[0]
    assert torch.equal(unused.detach(), torch.ones(2, 2))


def test_weight_decay_shrinks_all_directions() -> None:
    weight = nn.Parameter(torch.eye(3))
    weight.grad = torch.zeros(3, 3)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    assert torch.allclose(weight.detach(), 0.95 * torch.eye(3))

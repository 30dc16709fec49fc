import pytest
import torch
from torch import nn

from training.muon import ADAMW_SIZE, Muon, orthogonalized


@pytest.mark.parametrize("shape", [(6, 6), (4, 24), (24, 4)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.logspace(0, -1, min(shape))  # the least is a tenth of the largest
    [made, turned_round] = orthogonalized(torch.stack([left @ torch.diag(values) @ right, -5 * left @ right]))
    assert (turned_round + left @ right).abs().max() < 0.4
    turned = left.T @ made @ right.T
    found = turned.diagonal()
    assert ((found > 0.6) & (found < 1.3)).all()
    assert (turned - torch.diag(found)).abs().max() < 0.03  # bfloat16


def test_what_does_not_move_stays() -> None:
    assert not orthogonalized(torch.zeros(1, 3, 5)).any()
    weight = nn.Parameter(torch.ones(3, 5))
    weight.grad = torch.zeros(3, 5)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    assert torch.equal(weight.detach(), torch.ones(3, 5))


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
        errors.append(float(error.detach()))
    assert errors[-1] < 0.01 * errors[0]
    assert torch.equal(unused.detach(), torch.ones(2, 2))


def test_weight_decay_shrinks_what_moves() -> None:
    still, shrunk = nn.Parameter(torch.eye(3)), nn.Parameter(torch.eye(3))
    for weight, decay in ((still, 0.0), (shrunk, 0.5)):
        weight.grad = torch.ones(3, 3)
        Muon([weight], lr=0.1, weight_decay=decay).step()
    assert torch.allclose(shrunk.detach() - still.detach(), -0.05 * torch.eye(3), atol=1e-6)


def test_matrices_of_one_shape_do_not_mix() -> None:
    torch.manual_seed(0)
    together, alone = ([nn.Parameter(torch.zeros(4, 6)) for _ in range(3)] for _ in range(2))
    for one, other in zip(together, alone, strict=True):
        one.grad = torch.randn(4, 6)
        other.grad = one.grad.clone()
        Muon([other], lr=0.1).step()
    Muon(together, lr=0.1).step()
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one, other, atol=2e-3)

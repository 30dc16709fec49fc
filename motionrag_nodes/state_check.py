"""Strict comparison of weights with the module that they are for: every missing, unexpected and misshapen key."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


def state_problems(module: nn.Module, state: Mapping[str, torch.Tensor], *, prefix: str = "") -> list[str]:
    """What keeps `state` from fitting `module` exactly, one line each; empty when it fits.

    `prefix` is put before the module's keys, so that messages name them as they stand in the file.
    """
    expected = {prefix + key: tuple(value.shape) for key, value in module.state_dict().items()}
    return shape_problems(expected, state)


def shape_problems(expected: Mapping[str, tuple[int, ...]], state: Mapping[str, torch.Tensor]) -> list[str]:
    """What keeps `state` from having exactly the `expected` shapes, one line each; empty when it has them."""
    problems = [f"missing: {key} {list(shape)}" for key, shape in expected.items() if key not in state]
    problems += [f"unexpected: {key} {list(value.shape)}" for key, value in state.items() if key not in expected]
    problems += [
        f"shape: {key} expected {list(expected[key])}, received {list(value.shape)}"
        for key, value in state.items()
        if key in expected and tuple(value.shape) != expected[key]
    ]
    return problems

"""Weights of a pack that replace some of the base model's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from motionrag_nodes.errors import AdapterMismatch


def replace_base_weights(
    model: nn.Module, state: Mapping[str, torch.Tensor], *, root: str, sites: Iterable[str]
) -> None:
    """Put a pack's own weights of the adapted attentions into the base, as some backbones need (CogVideoX: 17 frames).

    `state` has the published keys, `root` and a site before each. Nothing is changed unless all of it fits.

    Raises AdapterMismatch: keys or shapes are not the model's; every one is listed.
    """
    own = dict(model.named_parameters())
    replaced = {key.removeprefix(f"{root}."): value for key, value in state.items()}
    starts = tuple(f"{site}." for site in sites)
    problems = [
        f"{key} {list(value.shape)}"
        for key, value in replaced.items()
        if not key.startswith(starts) or key not in own or own[key].shape != value.shape
    ]
    if problems:
        raise AdapterMismatch(
            f"Expected attention weights of this {type(model).__name__}, received others: {', '.join(problems)}. "
            "Load the video model that the pack names."
        )
    with torch.no_grad():
        for key, value in replaced.items():
            own[key].copy_(value)

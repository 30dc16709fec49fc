"""What each video model needs of an accelerator's memory at its published size, for each level of offload, counted
without an accelerator; see fake_memory.py. Libraries' own workspaces and fragments come on top: a tenth, or half a GB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.fake_memory import ModelMemory, as_fake, bytes_of, counted_models, largest_layer
from benchmarks.measure import Result, publish
from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.backbones.backbone import Backbone, backbone_names, get_backbone
from motionrag_nodes.checkpoints.published import TOKEN_DIM, TOKENS_PER_CLIP
from motionrag_nodes.frames.generate import generate_frames
from motionrag_nodes.frames.placement import MODEL, NONE, OFFLOADS
from motionrag_nodes.frames.video_model import VideoModel
from motionrag_nodes.residence import Resident

GIGABYTE = 1e9
ACCELERATORS_GB = (12, 16, 24)
# Of a graphics card's memory: the driver, the screen and fragments take the rest.
USABLE = 0.92


class Sized(Resident):
    """A stand-in for an accelerator with so much memory free."""

    def __init__(self, free_bytes: int) -> None:
        super().__init__()
        self._free = free_bytes

    def free_bytes(self) -> int:
        """As it was said."""
        return self._free


def measure(
    backbone: Backbone, variant: str, *, free_bytes: int, changed: Mapping[str, int]
) -> tuple[dict[str, ModelMemory], Any]:
    """Memory of each model of a published pipeline, the adapter's among them, and the settings that were used."""
    pipeline = backbone.published_sizes[variant]().to(torch.bfloat16)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    defaults = backbone.published.settings if backbone.published else backbone.defaults(pipeline)
    settings = replace(defaults, steps=2, **changed)
    with torch.device("meta"):
        hosts = backbone.hosts(backbone.denoisers(pipeline)[0])
        sites = {site: host.width for site, host in hosts.items()}
        adapter = MotionAdapter(token_dim=TOKEN_DIM, site_dims=sites, root=backbone.root).to(torch.bfloat16)
    as_fake(adapter, mode)
    tokens = torch.zeros(1, TOKENS_PER_CLIP, TOKEN_DIM)
    with counted_models(pipeline, mode) as found:
        model = VideoModel(backbone, pipeline, adapter, None, settings, variant, Sized(free_bytes))
        generate_frames(
            model,
            pictures=[np.zeros((settings.height, settings.width, 3), np.uint8)],
            motion=AppliedMotion(adapter, tokens, tokens),
            settings=settings,
            seeds=[0],
        )
    names = {id(part): name for name, part in pipeline.components.items()}
    denoisers = {names[id(part)] for part in backbone.denoisers(pipeline)}
    beside = bytes_of(adapter)
    return {
        name: replace(memory, beside=beside if name in denoisers else 0, layer_beside=largest_layer(adapter))
        for name, memory in found.items()
    }, settings


def peak(found: Mapping[str, ModelMemory], offload: str) -> int:
    """The most bytes at any time at a level of offload; the adapter comes and goes with the denoiser."""
    if offload == NONE:
        weights = sum(memory.weights for memory in found.values())
        return weights + max(memory.beside for memory in found.values()) + max(m.most for m in found.values())
    if offload == MODEL:
        return max(memory.weights + memory.beside + memory.most for memory in found.values())
    return max(memory.largest_layer + memory.layer_beside + memory.most for memory in found.values())


def lines_of(backbone: Backbone, changed: Mapping[str, int]) -> list[dict[str, Any]]:
    """For each published pipeline, accelerator and level of offload the peak; what decodes is fitted to what is free."""
    lines = []
    for variant in backbone.published_sizes:
        for size in ACCELERATORS_GB:
            usable = int(size * 2**30 * USABLE)
            found, settings = measure(backbone, variant, free_bytes=usable, changed=changed)
            for offload in OFFLOADS:
                free = usable - (sum(m.weights + m.beside for m in found.values()) if offload == NONE else 0)
                del free
                needed = peak(found, offload)
                lines.append({"model": variant, "card_GB": size, "offload": offload, "peak_GB": needed / GIGABYTE,
                              "fits": "yes" if needed <= usable else "no"})  # fmt: skip
    return lines

"""What each video model needs of an accelerator's memory at its published size, at each level of offload.

Counted without an accelerator, see fake_memory.py: weights in bfloat16, motion injected, both branches of guidance, and
the codec decoding in the smallest parts that it can. Workspaces of libraries and fragments come on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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

CARDS_GB = (12, 16, 24)
# Of a graphics card's memory: driver, screen, workspaces and fragments take the rest.
USABLE = 0.9


class Full(Resident):
    """An accelerator without free memory, so that all is done in the smallest parts."""

    def free_bytes(self) -> int:
        """None."""
        return 0


@dataclass(frozen=True)
class PipelineMemory:
    """Of each model by name, of the adapter its weights and its largest layer, and which models it goes with."""

    models: Mapping[str, ModelMemory]
    adapter: int
    adapter_layer: int
    denoisers: frozenset[str]
    # What layer by layer cannot come, so that it stays.
    staying: frozenset[str] = frozenset()

    def peak(self, offload: str) -> int:
        """The most bytes at any time at a level of offload."""
        if offload == NONE:
            weights = sum(memory.weights for memory in self.models.values())
            return weights + self.adapter + max(memory.most for memory in self.models.values())
        adapter = self.adapter if offload == MODEL else self.adapter_layer
        staying = 0 if offload == MODEL else sum(self.models[name].weights for name in self.staying)
        return staying + max(
            (memory.weights if offload == MODEL else memory.largest_layer)
            + memory.most
            + adapter * (name in self.denoisers)
            for name, memory in self.models.items()
        )


def measure(backbone: Backbone, pipeline: Any, changed: Mapping[str, int]) -> tuple[PipelineMemory, Any]:
    """Run a pipeline of a published size, and the settings that it was run with."""
    pipeline = pipeline.to(torch.bfloat16)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    defaults = backbone.published.settings if backbone.published else backbone.defaults(pipeline)
    settings = replace(defaults, **{"steps": 2, **changed})
    denoisers = backbone.denoisers(pipeline)
    with torch.device("meta"):
        sites = {site: host.width for site, host in backbone.hosts(denoisers[0]).items()}
        adapter = MotionAdapter(token_dim=TOKEN_DIM, site_dims=sites, root=backbone.root).to(torch.bfloat16)
    as_fake(adapter, mode)
    tokens = torch.zeros(1, TOKENS_PER_CLIP, TOKEN_DIM)
    with counted_models(pipeline, mode) as found:
        generate_frames(
            VideoModel(backbone, pipeline, adapter, None, settings, backbone.name, Full()),
            pictures=[np.zeros((settings.height, settings.width, 3), np.uint8)],
            motion=AppliedMotion(adapter, tokens, tokens),
            settings=settings,
            seeds=[0],
        )
    names = frozenset(name for name, part in pipeline.components.items() if any(part is model for model in denoisers))
    staying = frozenset(pipeline._exclude_from_cpu_offload)
    return PipelineMemory(found, bytes_of(adapter), largest_layer(adapter), names, staying), settings


def lines_of(backbone: Backbone, changed: Mapping[str, int]) -> list[dict[str, Any]]:
    """One for each published model and level of offload; memory in GB of 10^9 bytes, cards in GB of 2^30."""
    lines = []
    for name, make in backbone.published_sizes.items():
        found, settings = measure(backbone, make(), changed)
        busiest = max(found.models.items(), key=lambda entry: entry[1].most)
        for offload in OFFLOADS:
            peak = found.peak(offload)
            lines.append(
                {
                    "model": name,
                    "video": f"{settings.frames} of {settings.width} x {settings.height}",
                    "offload": offload,
                    "peak_GB": round(peak / 1e9, 1),
                    "weights_GB": round(sum(m.weights for m in found.models.values()) / 1e9 + found.adapter / 1e9, 1),
                    "most_beside_GB": f"{busiest[1].most / 1e9:.1f} ({busiest[0]})",
                    **{f"fits_{card}_GB": "yes" if peak <= USABLE * card * 2**30 else "no" for card in CARDS_GB},
                }
            )
    return lines


def main(
    backbone: Annotated[str, typer.Option("--backbone", help=f"One of {', '.join(backbone_names())}.")],
    width: Annotated[int, typer.Option("--width", help="0 for the published.")] = 0,
    height: Annotated[int, typer.Option("--height", help="0 for the published.")] = 0,
    frames: Annotated[int, typer.Option("--frames", help="0 for the published.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Measure and publish."""
    wanted = {"width": width, "height": height, "frames": frames}
    lines = lines_of(get_backbone(backbone), {name: value for name, value in wanted.items() if value})
    conditions = {"precision": "bfloat16", "usable share of a card": USABLE}
    publish(Result(title="Memory of an accelerator", conditions=conditions, lines=lines), json_path)


if __name__ == "__main__":
    typer.run(main)

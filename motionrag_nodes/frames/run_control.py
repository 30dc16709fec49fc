"""Control over a running pipeline through hooks: which steps get motion, and stopping in the middle of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import nn

from motionrag_nodes.attention.injection import Injection
from motionrag_nodes.attention.steps import motion_steps
from motionrag_nodes.errors import GenerationInterrupted

if TYPE_CHECKING:
    from diffusers import StableVideoDiffusionPipeline


class StepClock:
    """Counts the UNet's calls, one a step, and notes when the first began and the last ended (seconds)."""

    def __init__(self) -> None:
        self.step = 0
        self.first_began: float | None = None
        self.last_ended: float | None = None


@contextmanager
def controlled_run(
    pipeline: StableVideoDiffusionPipeline,
    *,
    should_stop: Callable[[], bool] | None,
    injection: Injection | None,
    strength: float,
    start: float,
    end: float,
) -> Iterator[StepClock]:
    """Within the block the pipeline injects motion at steps start <= i / steps < end, and stops when asked.

    `should_stop` is asked before every block of the UNet and of the codec; GenerationInterrupted is then raised from
    inside the model. Everything registered here is gone afterwards.
    """
    clock = StepClock()

    def before_step(_module: nn.Module, _args: Any) -> None:
        if clock.first_began is None:
            clock.first_began = time.perf_counter()
        if injection is not None:
            injected = motion_steps(start, end, total=pipeline.num_timesteps)
            injection.scale = strength if clock.step in injected else 0.0

    def after_step(_module: nn.Module, _args: Any, _output: Any) -> None:
        clock.step += 1
        clock.last_ended = time.perf_counter()
        if injection is not None and clock.step == 1:
            injection.require_passes()

    def before_block(_module: nn.Module, _args: Any) -> None:
        if should_stop is not None and should_stop():
            raise GenerationInterrupted("The generation was stopped as asked.")

    handles = [
        pipeline.unet.register_forward_pre_hook(before_step),
        pipeline.unet.register_forward_hook(after_step),
        *(block.register_forward_pre_hook(before_block) for block in _blocks(pipeline)),
    ]
    try:
        yield clock
    finally:
        for handle in handles:
            handle.remove()


def _blocks(pipeline: StableVideoDiffusionPipeline) -> list[nn.Module]:
    """The parts of the models between which a stop is noticed: a fraction of a step each."""
    blocks: list[nn.Module] = [pipeline.image_encoder]
    for model in (pipeline.unet, pipeline.vae.encoder, pipeline.vae.decoder):
        blocks += [*getattr(model, "down_blocks", ()), model.mid_block, *getattr(model, "up_blocks", ())]
    # Within a block, layers: a block of the published UNet takes seconds on a small machine.
    return [layer for block in blocks for layer in [block, *_layers(block)]]


def _layers(block: nn.Module) -> list[nn.Module]:
    return [*(getattr(block, "resnets", None) or ()), *(getattr(block, "attentions", None) or ())]

"""Control over a running pipeline through hooks: which calls get which motion, every step told, stopping within one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.attention.injection import Entering, attach, require_fit
from motionrag_nodes.backbones.backbone import Backbone, Branch, Calls
from motionrag_nodes.errors import GenerationInterrupted
from motionrag_nodes.residence import Residence


class StepClock:
    """Counts the denoisers' calls, and notes when the first began and the last ended (seconds)."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.made = 0
        self.first_began: float | None = None
        self.last_ended: float | None = None

    @property
    def step(self) -> int:
        """The step under way, counted from 0."""
        return self.made // len(self.calls)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The branches of guidance that the call under way computes."""
        return self.calls[self.made % len(self.calls)]


@contextmanager
def controlled_run(
    backbone: Backbone,
    pipeline: Any,
    settings: Any,
    *,
    motion: AppliedMotion | None,
    residence: Residence,
    on_step: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
) -> Iterator[StepClock]:
    """Within the block the pipeline injects `motion` at its steps, tells each step, and stops when asked.

    `should_stop` is asked before every block of the models; GenerationInterrupted is then raised from inside them.
    Everything registered here is gone afterwards. The adapter comes by way of `residence` when it is first needed.
    """
    clock = StepClock(backbone.calls(settings))
    with ExitStack() as stack:
        for denoiser in backbone.denoisers(pipeline):
            if motion is not None:
                _inject(stack, backbone, denoiser, pipeline, clock, motion, residence)
            _count(stack, denoiser, pipeline, clock, on_step)
        if should_stop is not None:
            _watch(stack, backbone.stops(pipeline), should_stop)
        yield clock


def _inject(
    stack: ExitStack,
    backbone: Backbone,
    denoiser: nn.Module,
    pipeline: Any,
    clock: StepClock,
    motion: AppliedMotion,
    residence: Residence,
) -> None:
    hosts = backbone.hosts(denoiser)
    require_fit(hosts, motion.adapter)
    injection = stack.enter_context(attach(hosts))
    # Keys and values of the tokens are the same in every step.
    projected: dict[tuple[Branch, ...], Entering] = {}
    # Not its device: an adapter whose layers come one by one has none of its own.
    like = torch.empty((), dtype=next(motion.adapter.parameters()).dtype, device=residence.device)

    def before_call(_module: nn.Module, _args: Any) -> None:
        if not motion.enters(clock.step, total=pipeline.num_timesteps):
            injection.enter()
            return
        residence.bring(motion.adapter)
        if clock.branches not in projected:
            projected[clock.branches] = motion.entering(clock.branches, like=like)
        injection.enter(projected[clock.branches])

    def after_call(_module: nn.Module, _args: Any, _output: Any) -> None:
        injection.require_passes()

    stack.callback(denoiser.register_forward_pre_hook(before_call).remove)
    stack.callback(denoiser.register_forward_hook(after_call).remove)


def _count(
    stack: ExitStack,
    denoiser: nn.Module,
    pipeline: Any,
    clock: StepClock,
    on_step: Callable[[int, int], None] | None,
) -> None:
    def before_call(_module: nn.Module, _args: Any) -> None:
        if clock.first_began is None:
            clock.first_began = time.perf_counter()

    def after_call(_module: nn.Module, _args: Any, _output: Any) -> None:
        clock.made += 1
        clock.last_ended = time.perf_counter()
        if on_step is not None and clock.made % len(clock.calls) == 0:
            on_step(clock.step, pipeline.num_timesteps)

    stack.callback(denoiser.register_forward_pre_hook(before_call).remove)
    stack.callback(denoiser.register_forward_hook(after_call).remove)


def _watch(stack: ExitStack, blocks: list[nn.Module], should_stop: Callable[[], bool]) -> None:
    def before_block(_module: nn.Module, _args: Any) -> None:
        if should_stop():
            raise GenerationInterrupted("The generation was stopped as asked.")

    for block in blocks:
        stack.callback(block.register_forward_pre_hook(before_block).remove)

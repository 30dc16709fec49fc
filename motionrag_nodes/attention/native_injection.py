"""Motion in ComfyUI's own models: what each call of a sampler is told decides which motions enter, and how.

The hooks live for the length of one call of the model and leave nothing behind. What is hooked is one module by its
path, so that other attentions which share ComfyUI's names for patches are never met.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.attention.injection import attach
from motionrag_nodes.attention.native_guidance import ROLES, SCHEDULE
from motionrag_nodes.attention.steps import step_of
from motionrag_nodes.backbones.backbone import AttentionHost, Branch
from motionrag_nodes.errors import SamplerUnsupported


class NativeInjection:
    """A wrapper around ComfyUI's model (WrappersMP.DIFFUSION_MODEL) that adds the motion of one or several nodes.

    `hosts` finds the model's attentions, see `Backbone.hosts`. Several motions at one site are all asked with the base
    attention's own output, so that their order does not matter.
    """

    def __init__(
        self, hosts: Callable[[nn.Module], dict[str, AttentionHost]], motions: tuple[AppliedMotion, ...]
    ) -> None:
        self.hosts = hosts
        self.motions = motions

    def __call__(self, executor: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """x [branches * T, C, H, W] or [branches, C, T, H, W], branches outermost -> the model's output.

        Raises AdapterBypassed: a site was not passed through exactly once, so that motion would be lost in silence.
        SamplerUnsupported: the sampler does not tell its branches or steps.
        """
        options = _options_of(executor.original, x, args, kwargs)
        branches = branches_of(options)
        network = executor.class_obj
        with attach(self.hosts(network)) as injection, _watched(network) as ran:
            injection.enter(*(motion.entering(branches, like=x) for motion in self.motions if enters(motion, options)))
            output: torch.Tensor = executor(x, *args, **kwargs)
            if ran:  # else another node answered from its cache, and no attention was asked
                injection.require_passes()
        return output


@contextmanager
def _watched(network: nn.Module) -> Iterator[list[bool]]:
    """Holds something as soon as any part of the network runs."""
    ran: list[bool] = []
    handles = [part.register_forward_pre_hook(lambda *_: ran.append(True)) for part in network.children()]
    try:
        yield ran
    finally:
        for handle in handles:
            handle.remove()


def _options_of(
    forward: Callable[..., Any], x: torch.Tensor, args: Any, kwargs: Mapping[str, Any]
) -> Mapping[str, Any]:
    """transformer_options, which each model takes at a place of its own."""
    given = inspect.signature(forward).bind(x, *args, **kwargs).arguments
    return given.get("transformer_options") or {}


def branches_of(options: Mapping[str, Any]) -> list[Branch]:
    """The branches of guidance in a call's batch, in its order; `options` are ComfyUI's transformer_options.

    cond_or_uncond is a place in the guider's list and no role, so that it counts only where no guider told the roles.

    Raises SamplerUnsupported: the sampler does not tell them.
    """
    roles, uuids = options.get(ROLES), options.get("uuids")
    if roles and uuids and all(uuid in roles for uuid in uuids):
        return [roles[uuid] for uuid in uuids]
    if "cond_or_uncond" not in options:
        raise SamplerUnsupported(
            "Expected a sampler that tells which half of guidance it computes (cond_or_uncond), as ComfyUI's do, "
            "received none: use KSampler or SamplerCustom."
        )
    return [Branch.UNCONDITIONAL if branch else Branch.CONDITIONAL for branch in options["cond_or_uncond"]]


def enters(motion: AppliedMotion, options: Mapping[str, Any]) -> bool:
    """Whether the step under way gets this motion.

    Raises SamplerUnsupported: the motion enters in some steps, and the sampler does not tell which one it is.
    """
    if motion.always or motion.never:
        return not motion.never
    sigmas = options.get("sample_sigmas")
    if sigmas is None or "sigmas" not in options:
        raise SamplerUnsupported(
            "Expected a sampler that tells its steps (sample_sigmas), as ComfyUI's do, received none: use KSampler "
            "or SamplerCustom, or set start to 0 and end to 1."
        )
    before, total = options.get(SCHEDULE) or (0, len(sigmas) - 1)
    step = before + step_of(float(options["sigmas"].flatten()[0]), sigmas.tolist())
    return motion.enters(step, total=total)

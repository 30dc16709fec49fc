"""Attach motion to ComfyUI's own SVD UNet for the length of one call of it, and leave nothing behind.

As for diffusers (injection.py), hooks add the adapter's output to the input of an attention's output projection. The
base attention thus runs in ComfyUI's own code and precision, after whatever other nodes did to it, and what is hooked
is one module by its path: the temporal attentions, which share ComfyUI's names for patches, are never met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from motionrag_nodes.attention.adapter import MotionAdapter, ProjectedTokens
from motionrag_nodes.attention.native_names import UNetLayout, native_svd_site_dims
from motionrag_nodes.attention.steps import motion_steps, step_of
from motionrag_nodes.errors import AdapterBypassed, AdapterMismatch, GenerationSettingInvalid, SamplerUnsupported


@dataclass(frozen=True)
class AppliedMotion:
    """What one node applies.

    `sites` maps an attention's path in ComfyUI's UNet to the adapter's own, `weights` the latter to a factor;
    tokens and unconditional: [1, L, D]. Motion enters at steps start <= i / steps < end.
    """

    adapter: MotionAdapter
    sites: Mapping[str, str]
    weights: Mapping[str, float]
    tokens: torch.Tensor
    unconditional: torch.Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength < float("inf"):
            raise GenerationSettingInvalid(
                f"Expected a strength of at least 0, received {self.strength}: 1 is as trained."
            )
        if not 0 <= self.start <= self.end <= 1:
            raise GenerationSettingInvalid(
                f"Expected 0 <= start <= end <= 1, fractions of the steps, received start {self.start} and end "
                f"{self.end}."
            )

    def enters(self, options: Mapping[str, Any]) -> bool:
        """Whether the step under way gets this motion; `options` are ComfyUI's transformer_options."""
        if (self.start, self.end) == (0, 1):
            return True
        sigmas = options.get("sample_sigmas")
        if sigmas is None or "sigmas" not in options:
            raise SamplerUnsupported(
                "Expected a sampler that tells its steps (sample_sigmas), as ComfyUI's do, received none: use KSampler "
                "or SamplerCustom, or set start to 0 and end to 1."
            )
        step = step_of(float(options["sigmas"].flatten()[0]), sigmas.tolist())
        return step in motion_steps(self.start, self.end, total=len(sigmas) - 1)

    def tokens_of(self, branches: Sequence[int]) -> torch.Tensor:
        """Tokens [B, L, D] of a batch's branches of guidance, in its order: 0 is conditional, others are not."""
        return torch.cat([self.unconditional if branch else self.tokens for branch in branches])


def native_sites(unet: nn.Module, adapter: MotionAdapter) -> dict[str, str]:
    """Each spatial cross-attention's path in ComfyUI's UNet -> the adapter's site, when they are the same ones.

    Raises:
        AdapterMismatch: the model is no SVD, or has other attentions or widths than the adapter was trained for.
    """
    received = native_svd_site_dims(unet)
    layout = UNetLayout.of_native(unet.state_dict())
    sites = {layout.native_name(site): site for site in adapter.sites}
    problems = [
        f"{received.get(path, 'no')} channels instead of {adapter.site_dims[site]} at {site}"
        for path, site in sites.items()
        if received.get(path) != adapter.site_dims[site]
    ]
    problems += [f"an unknown site {path}" for path in received if path not in sites]
    # Names of levels that the model does not have may fall together, so that the numbers count too.
    if problems or len(received) != len(adapter.sites):
        raise AdapterMismatch(
            f"The adapter expects a video model with {len(adapter.sites)} attention sites, received one with "
            f"{len(received)}: {', '.join(problems[:3])}{', ...' if len(problems) > 3 else ''}. "
            "Load the MODEL that the pack is for."
        )
    return sites


class NativeInjection:
    """A wrapper around ComfyUI's UNet (WrappersMP.DIFFUSION_MODEL) that adds the motion of one or several nodes.

    Several motions at one site are all asked with the base attention's own output, so that their order is no matter.
    """

    def __init__(self, motions: tuple[AppliedMotion, ...]) -> None:
        self.motions = motions

    def __call__(
        self,
        executor: Any,
        x: torch.Tensor,
        timesteps: torch.Tensor | None = None,
        context: torch.Tensor | None = None,
        y: torch.Tensor | None = None,
        control: Any = None,
        transformer_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """x [branches * T, C, H, W], branches outermost -> the UNet's output.

        Raises:
            AdapterBypassed: a site was not passed through exactly once, so that motion would be lost in silence.
            SamplerUnsupported: the sampler does not tell its branches or steps.
        """
        options = transformer_options or {}
        with self._attached(executor.class_obj, context, options, x) as passes:
            output: torch.Tensor = executor(x, timesteps, context, y, control, transformer_options, **kwargs)
        _require_passes(passes)
        return output

    @contextmanager
    def _attached(
        self, unet: nn.Module, context: torch.Tensor | None, options: Mapping[str, Any], like: torch.Tensor
    ) -> Iterator[Counter[str]]:
        if "cond_or_uncond" not in options:
            raise SamplerUnsupported(
                "Expected a sampler that tells which half of guidance it computes (cond_or_uncond), as ComfyUI's do, "
                "received none: use KSampler or SamplerCustom."
            )
        parts = [
            (motion, motion.adapter.project_tokens(motion.tokens_of(options["cond_or_uncond"]).to(like)))
            for motion in self.motions
            if motion.strength and motion.enters(options)
        ]
        passes = Counter({path: 0 for motion in self.motions for path in motion.sites})
        handles = []
        try:
            for path in passes:
                attention = unet.get_submodule(path)
                one_key = _has_one_key(attention, context, options)
                hook = partial(_before_output, passes, parts, path, attention.heads, one_key)
                handles.append(attention.to_out.register_forward_pre_hook(hook))
            yield passes
        finally:
            for handle in handles:
                handle.remove()


def _before_output(
    passes: Counter[str],
    parts: Sequence[tuple[AppliedMotion, ProjectedTokens]],
    path: str,
    heads: int,
    one_key: bool,
    _module: nn.Module,
    args: tuple[torch.Tensor, ...],
) -> tuple[torch.Tensor, ...] | None:
    """Adds the sum of the motions to the base attention's h [branches * T, N, hidden]; None leaves h as it is."""
    passes[path] += 1
    hidden, total = args[0], None
    query = hidden[:, :1] if one_key else hidden
    for motion, projected in parts:
        site = motion.sites.get(path)
        scale = motion.strength * motion.weights[site] if site else 0.0
        if scale:
            added = scale * motion.adapter.site(site)(query, projected.keys[site], projected.values[site], heads=heads)
            total = added if total is None else total + added
    return None if total is None else (hidden + total, *args[1:])


def _has_one_key(attention: nn.Module, context: torch.Tensor | None, options: Mapping[str, Any]) -> bool:
    """Whether h is surely the same at every position of a frame, so that one query stands for all.

    Softmax over SVD's single image embedding is 1; but another node's patch may make of h what it likes.
    """
    patched = "attn2_patch" in options.get("patches", {}) or options.get("patches_replace", {}).get("attn2")
    return not patched and "forward" not in vars(attention) and context is not None and context.shape[1] == 1


def _require_passes(passes: Counter[str]) -> None:
    missed = [path for path, count in passes.items() if count != 1]
    if missed:
        raise AdapterBypassed(
            f"Expected {len(passes)} attention sites to be passed through once each in a step, but {len(missed)} were "
            f"not ({missed[0]}: {passes[missed[0]]} times): another node replaces these attentions or blocks; "
            "take it out, or put it on a MODEL without motion."
        )

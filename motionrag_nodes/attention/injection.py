"""Attach a motion adapter to a diffusers model without touching its attention processors.

Hooks add the adapter's output to the input of an attention's output projection, which is exactly the point between
softmax(QK^T)V and to_out. The base attention thus runs in diffusers' own code, whichever processor computes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from motionrag_nodes.attention.adapter import MotionAdapter, ProjectedTokens
from motionrag_nodes.errors import AdapterBypassed, AdapterMismatch, UnsupportedProcessor

# Processors that hand softmax(QK^T)V to attn.to_out[0], by class name: importing them all would need every backend.
SUPPORTED_PROCESSORS = frozenset(
    {
        "AttnProcessor",
        "AttnProcessor2_0",
        "FusedAttnProcessor2_0",
        "SlicedAttnProcessor",
        "XFormersAttnProcessor",
        "CogVideoXAttnProcessor2_0",
        "FusedCogVideoXAttnProcessor2_0",
    }
)


class Injection:
    """What the hooks read: the tokens of the running generation and their scale. Made by `attach_motion`."""

    def __init__(self, adapter: MotionAdapter) -> None:
        self.adapter = adapter
        self.scale = 1.0
        self.passes = {site: 0 for site in adapter.sites}
        self._projected: ProjectedTokens | None = None

    def set_tokens(self, tokens: torch.Tensor, *, scale: float = 1.0) -> None:
        """Project motion tokens [B, L, D] once; every following forward of the model uses them.

        B is the model's batch of clips, in its order (with guidance: unconditional, then conditional).
        """
        self.set_projected(self.adapter.project_tokens(tokens), scale=scale)

    def set_projected(self, projected: ProjectedTokens, *, scale: float = 1.0) -> None:
        """Use keys and values that were projected before."""
        self._projected, self.scale = projected, scale

    def clear(self) -> None:
        """Forget the tokens: the model computes as if no adapter were attached."""
        self._projected = None

    @property
    def enabled(self) -> bool:
        """Whether the sites add anything; at scale 0 they are skipped, so the model's output is bit-identical."""
        return self._projected is not None and self.scale != 0

    def require_passes(self) -> None:
        """Check that every site was reached since attaching.

        Raises:
            AdapterBypassed: some site was not, so the motion would be lost in silence.
        """
        missed = [site for site, count in self.passes.items() if not count]
        if missed:
            raise AdapterBypassed(
                f"Expected {len(self.passes)} attention sites to pass through the motion adapter, but "
                f"{len(missed)} did not ({missed[0]}, ...): attach to the model before compiling it, and leave its "
                "attention processors as they are."
            )

    def _before_attention(self, site: str, seen: dict[str, bool], _module: nn.Module, args: Any, kwargs: Any) -> None:
        context = kwargs.get("encoder_hidden_states")
        # CogVideoX gives text and video as two inputs of one joint attention: there every position has its own h.
        seen["one_key"] = seen["cross"] and context is not None and context.shape[1] == 1

    def _before_output(
        self, site: str, heads: int, seen: dict[str, bool], _module: nn.Module, args: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, ...] | None:
        self.passes[site] += 1
        if not self.enabled:
            return None
        hidden = args[0]
        # Over a single key softmax is 1, so h is the same at every position (SVD's image embedding is one token):
        # one query stands for all, which spares the adapter some thousand equal ones.
        query = hidden[:, :1] if seen["one_key"] else hidden
        keys, values = self._projected.keys[site], self._projected.values[site]
        return (hidden + self.scale * self.adapter.site(site)(query, keys, values, heads=heads), *args[1:])


@contextmanager
def attach_motion(model: nn.Module, adapter: MotionAdapter) -> Iterator[Injection]:
    """Attach `adapter` to a diffusers model for the length of a with-block; the model is restored on leaving it.

    Works on any UNetSpatioTemporalConditionModel and CogVideoXTransformer3DModel whose attentions are the adapter's
    sites. Nothing is added before `Injection.set_tokens`.

    Raises:
        AdapterMismatch: a site is not in the model, or its width is another.
        UnsupportedProcessor: a site has a processor whose inside is unknown here.
    """
    attentions = {site: _attention_at(model, adapter, site) for site in adapter.sites}
    injection = Injection(adapter)
    handles = []
    try:
        for site, attention in attentions.items():
            seen = {"one_key": False, "cross": bool(attention.is_cross_attention)}
            before = partial(injection._before_attention, site, seen)
            handles.append(attention.register_forward_pre_hook(before, with_kwargs=True))
            output = partial(injection._before_output, site, attention.heads, seen)
            handles.append(attention.to_out[0].register_forward_pre_hook(output))
        yield injection
    finally:
        for handle in handles:
            handle.remove()
        injection.clear()


def _attention_at(model: nn.Module, adapter: MotionAdapter, site: str) -> nn.Module:
    try:
        attention = model.get_submodule(site)
    except AttributeError:
        raise AdapterMismatch(
            f"The adapter expects an attention at {site}, which {type(model).__name__} does not have: "
            "load the video model that the pack names."
        ) from None
    expected, received = adapter.site_dims[site], getattr(attention, "inner_dim", None)
    if received != expected:
        raise AdapterMismatch(
            f"The adapter expects width {expected} at {site}, the model has {received}: "
            "load the video model that the pack names."
        )
    processor = type(attention.processor).__name__
    if processor not in SUPPORTED_PROCESSORS:
        raise UnsupportedProcessor(
            f"Expected one of {', '.join(sorted(SUPPORTED_PROCESSORS))} at {site}, received {processor}: "
            "call set_default_attn_processor() on the model first, or fuse the LoRA into its weights."
        )
    return attention

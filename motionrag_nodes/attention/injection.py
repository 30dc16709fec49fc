"""Motion enters a loaded model at its hosts, without touching its attention processors or its code.

Hooks add the adapter's output to the input of an attention's output projection, which is exactly the point between
softmax(QK^T)V and to_out. The base attention thus runs in its own code and precision, whatever computes it and
whichever layout the model has: diffusers' or ComfyUI's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from motionrag_nodes.attention.adapter import MotionAdapter, ProjectedTokens
from motionrag_nodes.backbones.backbone import AttentionHost, Hosts
from motionrag_nodes.errors import AdapterBypassed, AdapterMismatch


@dataclass(frozen=True)
class Entering:
    """One motion in a call of the model: its adapter, keys and values of the call's clips, each site's scale."""

    adapter: MotionAdapter
    projected: ProjectedTokens
    scales: Mapping[str, float]

    @classmethod
    def of(cls, adapter: MotionAdapter, tokens: torch.Tensor, *, scale: float = 1.0) -> Entering:
        """Motion tokens [B, L, D] at one scale; B is the model's batch of clips, in its order."""
        return cls(adapter, adapter.project_tokens(tokens), dict.fromkeys(adapter.sites, scale))


class Injection:
    """What the hooks read: the motions of the calls to come. Made by `attach`."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.passes: Counter[str] = Counter()
        self._entering: tuple[Entering, ...] = ()

    def enter(self, *entering: Entering) -> None:
        """These motions, and no others, enter from the next call on; they add up, in any order.

        Without any, or at scale 0, a site is left as it is: the model's output is bit-identical to the plain one.
        """
        self.passes.clear()
        self._entering = entering

    def require_passes(self) -> None:
        """Check that every site was passed through once since `enter`.

        Raises AdapterBypassed: some site was not, so that the motion would be lost in silence.
        """
        missed = [site for site in self.hosts if self.passes[site] != 1]
        if missed:
            first = missed[0]
            raise AdapterBypassed(
                f"Expected {len(self.hosts)} attention sites to be passed through once each in a call of the model, "
                f"but {len(missed)} were not ({self.hosts[first].path}: {self.passes[first]} times): another node, a "
                "LoRA's own attention or a compiler replaces these attentions or blocks; take it out, or leave motion "
                "out."
            )

    def added(self, site: str, hidden: torch.Tensor, *, one_query: bool) -> torch.Tensor | None:
        """What the motions add to a site's h [rows, N, hidden], summed; None where nothing does."""
        query = hidden[:, :1] if one_query else hidden
        heads, total = self.hosts[site].heads, None
        for motion in self._entering:
            scale = motion.scales.get(site, 0.0)
            if scale:
                keys, values = motion.projected.keys[site], motion.projected.values[site]
                part = scale * motion.adapter.site(site)(query, keys, values, heads=heads)
                total = part if total is None else total + part
        return total


@contextmanager
def attach(hosts: Hosts) -> Iterator[Injection]:
    """Hook a model's hosts for the length of a with-block; the model is restored on leaving it.

    Nothing is added before `Injection.enter`.
    """
    injection = Injection(hosts)
    handles = []
    try:
        for site, host in hosts.items():
            seen = {"one_key": False}
            if host.attention is not None:
                before = partial(_before_attention, seen, host)
                handles.append(host.attention.register_forward_pre_hook(before, with_kwargs=True))
            output = partial(_before_output, injection, site, seen)
            handles.append(host.output.register_forward_pre_hook(output))
        yield injection
    finally:
        for handle in handles:
            handle.remove()
        injection.enter()


def require_fit(hosts: Hosts, adapter: MotionAdapter) -> None:
    """Raises AdapterMismatch unless the model's sites and widths are those that the adapter was trained for."""
    received = {site: host.width for site, host in hosts.items()}
    problems = [
        f"{received.get(site, 'no')} channels instead of {width} at {site}"
        for site, width in adapter.site_dims.items()
        if received.get(site) != width
    ]
    problems += [f"an unknown site {site}" for site in received if site not in adapter.site_dims]
    if problems:
        raise AdapterMismatch(
            f"Expected a video model with {len(adapter.sites)} attention sites, received one with {len(received)}: "
            f"{', '.join(problems[:3])}{', ...' if len(problems) > 3 else ''}. Load the video model that the pack is "
            "for."
        )


def _before_attention(seen: dict[str, bool], host: AttentionHost, module: nn.Module, args: Any, kwargs: Any) -> None:
    # Softmax over a single key is 1, so that h is the same at every position (SVD's image embedding is one token):
    # one query stands for all, which spares the adapter some thousand equal ones. Where another node replaced what the
    # module does, or gives it another context, h may be what it likes.
    context = kwargs.get(host.context)
    seen["one_key"] = context is not None and context.shape[1] == 1 and "forward" not in vars(module)


def _before_output(
    injection: Injection, site: str, seen: dict[str, bool], _module: nn.Module, args: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, ...] | None:
    """Adds the motions to h; None leaves it as it is."""
    injection.passes[site] += 1
    one_key, seen["one_key"] = seen["one_key"], False
    added = injection.added(site, args[0], one_query=one_key)
    return None if added is None else (args[0] + added, *args[1:])

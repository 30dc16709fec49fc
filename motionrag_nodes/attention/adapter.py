"""Motion adapter: decoupled cross-attention to motion tokens at many sites of a video model (arXiv 2509.26391).

At a site, h = softmax(QK^T)V is the base attention before its output projection, and the adapter adds
scale * Attention(to_q_ip(h), to_k_ip(tokens), to_v_ip(tokens)). Plain PyTorch: it knows no video model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from motionrag_nodes.errors import AdapterMismatch, ShapeMismatch


@dataclass(frozen=True)
class ProjectedTokens:
    """Keys and values of every site: `keys[site]` and `values[site]` are [B, L, hidden].

    They are the same at every step: frames/ makes them once for each set of branches, and in ComfyUI, whose sampler may
    change these from call to call, each call makes them again.
    """

    keys: Mapping[str, torch.Tensor]
    values: Mapping[str, torch.Tensor]
    batch: int

    def __post_init__(self) -> None:
        if self.keys.keys() != self.values.keys() or any(len(key) != self.batch for key in self.keys.values()):
            raise ShapeMismatch(
                f"Expected a key and a value [B = {self.batch}, L, hidden] of each site, received others: make them "
                "with MotionAdapter.project_tokens."
            )


class MotionAttention(nn.Module):
    """The weights of one site. Lists of one, since the published keys read to_q_ip.0.weight."""

    def __init__(self, *, hidden_dim: int, token_dim: int, linear: Callable[..., nn.Module] = nn.Linear) -> None:
        super().__init__()
        self.to_q_ip = nn.ModuleList([linear(hidden_dim, hidden_dim, bias=False)])
        self.to_k_ip = nn.ModuleList([linear(token_dim, hidden_dim, bias=False)])
        self.to_v_ip = nn.ModuleList([linear(token_dim, hidden_dim, bias=False)])

    def project(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Motion tokens [B, L, D] -> keys and values [B, L, hidden]."""
        return self.to_k_ip[0](tokens), self.to_v_ip[0](tokens)

    def forward(self, hidden: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, *, heads: int) -> torch.Tensor:
        """hidden [B * T, N, hidden], clips outermost, keys and values [B, L, hidden] -> [B * T, N, hidden].

        Raises ShapeMismatch: the rows of `hidden` are no multiple of the clips B.
        """
        rows, batch = len(hidden), len(keys)
        if rows % batch:
            raise ShapeMismatch(
                f"Expected a batch of {batch} clips times their frames, received {rows} rows: give one set of motion "
                "tokens for each clip of the batch (with guidance: unconditional, then conditional)."
            )
        # A clip's frames ask the same keys: they become queries of one attention, and no key is repeated per frame.
        query = self.to_q_ip[0](hidden).reshape(batch, -1, hidden.shape[-1])  # [B * T, N, C] -> [B, T * N, C]
        mixed = F.scaled_dot_product_attention(
            _split_heads(query, heads),
            _split_heads(keys.to(query.dtype), heads),
            _split_heads(values.to(query.dtype), heads),
        )
        return mixed.transpose(1, 2).reshape(hidden.shape)  # [B, heads, T * N, d] -> [B * T, N, C]


def _split_heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    heads_first: torch.Tensor = states.unflatten(-1, (heads, -1)).transpose(1, 2)  # [B, S, h * d] -> [B, h, S, d]
    return heads_first


class MotionAdapter(nn.Module):
    """One MotionAttention for each site of a video model; state-dict keys are the published ones.

    `site_dims` maps a site (the attention's path in the model, such as
    down_blocks.0.attentions.0.transformer_blocks.0.attn2) to its hidden width; `root` is the model's name in the
    published keys: "unet" for SVD, "transformer" for CogVideoX. A fresh adapter changes nothing (its values are
    zero), so that training starts from the frozen model. `linear` makes its layers: a host that moves weights between
    devices while they are used brings its own.
    """

    def __init__(
        self,
        *,
        token_dim: int,
        site_dims: Mapping[str, int],
        root: str = "unet",
        linear: Callable[..., nn.Module] = nn.Linear,
    ) -> None:
        super().__init__()
        self.token_dim = token_dim
        self.root = root
        self.site_dims = dict(site_dims)
        for site, hidden_dim in site_dims.items():
            attention = MotionAttention(hidden_dim=hidden_dim, token_dim=token_dim, linear=linear)
            _branch(self, f"{root}.{site}").add_module("processor", attention)
        self.reset_parameters()

    @property
    def sites(self) -> tuple[str, ...]:
        """Paths of the adapted attentions in the model."""
        return tuple(self.site_dims)

    def site(self, path: str) -> MotionAttention:
        """The weights of one site.

        Raises AdapterMismatch: there is no such site.
        """
        if path not in self.site_dims:
            raise AdapterMismatch(
                f"Expected one of the adapter's {len(self.site_dims)} sites, received {path}: take the paths from the "
                "model that the pack is for."
            )
        found = self.get_submodule(f"{self.root}.{path}.processor")
        assert isinstance(found, MotionAttention)  # as they were made
        return found

    def reset_parameters(self) -> None:
        """Start values for training: to_v_ip is zero, so that the model begins unchanged."""
        for site in self.sites:
            attention = self.site(site)
            for projection in (attention.to_q_ip, attention.to_k_ip):
                nn.init.xavier_uniform_(projection.get_parameter("0.weight"))
            nn.init.zeros_(attention.to_v_ip.get_parameter("0.weight"))

    def project_tokens(self, tokens: torch.Tensor) -> ProjectedTokens:
        """Motion tokens [B, L, D] -> keys and values of every site; gradients flow when they are enabled.

        Raises ShapeMismatch: the tokens are not [B, L, token_dim].
        """
        if tokens.ndim != 3 or tokens.shape[-1] != self.token_dim:
            raise ShapeMismatch(
                f"Expected motion tokens [B, L, {self.token_dim}], received {list(tokens.shape)}: adapt the motion "
                "with the pack that this adapter belongs to."
            )
        projected = {site: self.site(site).project(tokens) for site in self.sites}
        return ProjectedTokens(
            keys={site: key for site, (key, _) in projected.items()},
            values={site: value for site, (_, value) in projected.items()},
            batch=len(tokens),
        )


def _branch(module: nn.Module, path: str) -> nn.Module:
    """The submodule at a dotted path, made of plain containers where it does not exist yet."""
    for name in path.split("."):
        if name not in module._modules:
            module.add_module(name, nn.Module())
        module = module.get_submodule(name)
    return module

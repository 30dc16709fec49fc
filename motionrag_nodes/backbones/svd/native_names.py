"""Names of one SVD UNet in its two layouts: diffusers' (as packs and adapters have them) and ComfyUI's own.

Diffusers numbers blocks by level and layer (down_blocks.1.attentions.0), ComfyUI counts them through
(input_blocks.4.1), so a name can be translated only where the layers of each level are known: the layout.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    from torch import nn

_RESNET_PARTS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
# Beginnings of what follows resnets.N; the same for attentions.N, and for the parts outside of blocks.
_RESNET = {
    **{f"spatial_res_block.{theirs}": ours for theirs, ours in _RESNET_PARTS.items()},
    **{f"temporal_res_block.{theirs}": f"time_stack.{ours}" for theirs, ours in _RESNET_PARTS.items()},
    "time_mixer": "time_mixer",
}
_ATTENTION = {
    "temporal_transformer_blocks": "time_stack",
    "time_pos_embed.linear_1": "time_pos_embed.0",
    "time_pos_embed.linear_2": "time_pos_embed.2",
    **{name: name for name in ("norm", "proj_in", "proj_out", "transformer_blocks", "time_mixer")},
}
_OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_MIDDLE = {("resnets", 0): 0, ("attentions", 0): 1, ("resnets", 1): 2}
_IN_BLOCK = re.compile(
    r"(?P<side>down|mid|up)_blocks?(?:\.(?P<level>\d+))?"
    r"\.(?P<kind>resnets|attentions|downsamplers|upsamplers)\.(?P<layer>\d+)\.(?P<rest>.+)"
)
# Only the first of the two stacks in a transformer: `time_stack.N.attn2` mixes frames, not pixels.
_SPATIAL_ATTENTION = re.compile(
    r"(?P<transformer>(?:(?:input|output)_blocks\.\d+|middle_block)\.1)\.transformer_blocks\.\d+\.attn2"
)


@dataclass(frozen=True)
class UNetLayout:
    """Residual layers of each level, from full size down, and which of the rising levels have attention.

    `attention_up[i]` belongs to up_blocks.i, where 0 is the smallest size. The published SVD is
    UNetLayout((2, 2, 2, 2), (False, True, True, True)).
    """

    layers: tuple[int, ...]
    attention_up: tuple[bool, ...]

    @classmethod
    def of_diffusers(cls, keys: Iterable[str]) -> UNetLayout:
        """The layout of a UNetSpatioTemporalConditionModel, from its state-dict keys."""
        matches = [match for key in keys if (match := _IN_BLOCK.fullmatch(key))]
        found = {(m["side"], m["kind"], int(m["level"] or 0), int(m["layer"])) for m in matches}
        down = Counter(level for side, kind, level, _ in found if (side, kind) == ("down", "resnets"))
        return cls(
            layers=tuple(down[level] for level in sorted(down)),
            attention_up=tuple(("up", "attentions", level, 0) in found for level in sorted(down)),
        )

    @classmethod
    def of_native(cls, keys: Iterable[str]) -> UNetLayout:
        """The layout of ComfyUI's UNet, from its state-dict keys."""
        keys = set(keys)
        count = len({key.split(".")[1] for key in keys if key.startswith("input_blocks.")})
        layers = [0]
        for block in range(1, count):  # block 0 is the first convolution
            if f"input_blocks.{block}.0.op.weight" in keys:
                layers.append(0)
            else:
                layers[-1] += 1
        first_of_level = [sum(n + 1 for n in reversed(layers[i:])) for i in range(len(layers), 0, -1)]
        return cls(
            layers=tuple(layers),
            attention_up=tuple(f"output_blocks.{block}.1.proj_in.weight" in keys for block in first_of_level),
        )

    def site_of(self, path: str) -> str:
        """An attention's path in ComfyUI's UNet, `native_attentions` -> its path in diffusers'."""
        transformers = ["mid_block.attentions.0"]
        for side, layers, extra in (("down", self.layers, 0), ("up", self.layers[::-1], 1)):
            transformers += [
                f"{side}_blocks.{level}.attentions.{layer}"
                for level, count in enumerate(layers)
                for layer in range(count + extra)
            ]
        theirs = {self.native_name(f"{name}.norm").removesuffix(".norm"): name for name in transformers}
        transformer, _, rest = path.partition(".transformer_blocks.")
        return f"{theirs[transformer]}.transformer_blocks.{rest}"

    def native_name(self, name: str) -> str:
        """A module's or parameter's name in diffusers' UNet -> its name in ComfyUI's.

        Raises AdapterMismatch: an SVD UNet has no such part.
        """
        match = _IN_BLOCK.fullmatch(name)
        if match is None:
            return _renamed(name, name, _OUTSIDE)
        side, kind, layer, rest = match["side"], match["kind"], int(match["layer"]), match["rest"]
        level = int(match["level"] or 0)
        if side == "mid" and (kind, layer) in _MIDDLE:
            block = f"middle_block.{_MIDDLE[kind, layer]}"
        elif side == "down":
            first = 1 + sum(n + 1 for n in self.layers[:level])
            if kind == "downsamplers":
                return f"input_blocks.{first + self.layers[level]}.0.{_renamed(name, rest, {'conv': 'op'})}"
            block = f"input_blocks.{first + layer}.{int(kind == 'attentions')}"
        elif side == "up":
            rising = self.layers[::-1]
            first = sum(n + 1 for n in rising[:level])
            if kind == "upsamplers":
                part = 1 + self.attention_up[level]
                return f"output_blocks.{first + rising[level]}.{part}.{_renamed(name, rest, {'conv': 'conv'})}"
            block = f"output_blocks.{first + layer}.{int(kind == 'attentions')}"
        else:
            raise _unknown(name)
        return f"{block}.{_renamed(name, rest, _RESNET if kind == 'resnets' else _ATTENTION)}"


def is_native(unet: nn.Module) -> bool:
    """Whether it is a UNet of ComfyUI's own layout."""
    return hasattr(unet, "input_blocks")


def native_attentions(unet: nn.Module) -> dict[str, nn.Module]:
    """Each spatial cross-attention of ComfyUI's SVD UNet by its path; 16 in the published model, none in others."""
    modules = dict(unet.named_modules())
    return {
        name: module
        for name, module in modules.items()
        if (match := _SPATIAL_ATTENTION.fullmatch(name)) and f"{match['transformer']}.time_stack" in modules
    }


def _renamed(name: str, rest: str, table: dict[str, str]) -> str:
    """`rest` with its beginning replaced by the table's; a beginning ends at a dot."""
    for theirs, ours in table.items():
        if rest == theirs or rest.startswith(f"{theirs}."):
            return ours + rest[len(theirs) :]
    raise _unknown(name)


def _unknown(name: str) -> AdapterMismatch:
    return AdapterMismatch(
        f"Expected the name of a part of a UNetSpatioTemporalConditionModel, received {name}: "
        "load a Stable Video Diffusion model in diffusers' layout."
    )

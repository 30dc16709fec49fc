"""What the program knows of a kind of video model: a frozen record for each folder here, imported when it is asked for.

Stages, checkpoints and nodes read these records and name no model, so that a new one is a new folder.
"""

from __future__ import annotations

import enum
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from motionrag_nodes.errors import BackboneUnknown

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

    from motionrag_nodes.backbones.published import Published
    from motionrag_nodes.backbones.settings import Settings


class Branch(enum.Enum):
    """A branch of classifier-free guidance."""

    CONDITIONAL = "conditional"
    UNCONDITIONAL = "unconditional"


# The calls that a denoiser gets in one step, in order, each with the branches in its batch, in their order.
Calls = tuple[tuple[Branch, ...], ...]
TOGETHER: Calls = ((Branch.UNCONDITIONAL, Branch.CONDITIONAL),)
UNGUIDED: Calls = ((Branch.CONDITIONAL,),)


@dataclass(frozen=True, eq=False)
class AttentionHost:
    """An attention that motion enters, in a loaded model of diffusers' layout or of ComfyUI's.

    width: of h = softmax(QK^T)V, all heads together. output: the module whose first argument is h; motion is added
    before it. path: the attention's name in the loaded model, for messages. Over a single key h is the same at every
    position, and one query stands for all: `attention` is then the module whose calls tell, by their argument
    `context` [rows, keys, width]; None where every position has its own h.
    """

    width: int
    heads: int
    output: nn.Module
    path: str
    attention: nn.Module | None = None
    context: str = ""


Hosts = Mapping[str, AttentionHost]


class LoadPipeline(Protocol):
    """See `Backbone.load`."""

    def __call__(self, source: str | Path, *, dtype: torch.dtype) -> Any: ...


class RunPipeline(Protocol):
    """See `Backbone.run`."""

    def __call__(
        self, pipeline: Any, pictures: Sequence[Image.Image], settings: Any, seeds: Sequence[int]
    ) -> torch.Tensor: ...


@dataclass(frozen=True, eq=False)
class Backbone:
    """One kind of video model.

    name: of its folder, and in pack.json. title: for people. number: the order in which backbones came; widgets of
    later ones follow, since saved workflows hold the values of widgets by their place. root: the adapted model's name
    in the keys of adapters. pipelines: the classes in model_index.json that it can load; parts: their folders.

    hosts(model): the adapted attentions of a loaded denoiser, diffusers' or ComfyUI's own, by the site's name in the
    adapter. blocks_of(site): the names of blocks that a site answers to, the narrowest first.
    settings: how to generate. defaults(pipeline): the settings that a model without a pack was trained for.
    load(source, dtype=...): a pipeline of diffusers' kind from a local folder or the local hub cache.
    run(pipeline, pictures, settings, seeds): B pictures of the settings' size -> frames [B, T, H, W, 3] in [0, 1].
    denoisers(pipeline): the models that are called once or several times in a step; calls(settings): how.
    stops(pipeline): modules before which a stop is noticed. pixel_multiple(pipeline): what sizes must be divisible by.
    denoising_bytes: what a step holds beside the weights for each pixel of the video, both branches of guidance
    together, in a precision of 16 bits; measured by `python -m benchmarks.memory`. fit_codec(pipeline, settings, free):
    sets the codec so that it decodes in parts that fit into `free` bytes; the settings for that, and the bytes that it
    then needs.
    published_sizes: for each published model of the kind what makes its pipeline without weights, its models on the
    meta device: for measuring.
    published: what the method's authors published for it, None if nothing. convert_base(state, folder): makes a folder
    that `load` takes of the base model's own checkpoint, None where it is published in such a form. native_loader: the
    module that loads a diffusers folder as ComfyUI's own models, None where ComfyUI's own loaders must do.
    native_weights(state): a pack's weights of the base by their keys in ComfyUI's own module tree, None where no pack
    has such.
    """

    name: str
    title: str
    number: int
    root: str
    pipelines: tuple[str, ...]
    parts: tuple[str, ...]
    hosts: Callable[[nn.Module], dict[str, AttentionHost]]
    blocks_of: Callable[[str], tuple[str, ...]]
    settings: type[Settings]
    defaults: Callable[[Any], Settings]
    load: LoadPipeline
    run: RunPipeline
    denoisers: Callable[[Any], tuple[nn.Module, ...]]
    calls: Callable[[Any], Calls]
    stops: Callable[[Any], list[nn.Module]]
    pixel_multiple: Callable[[Any], int]
    denoising_bytes: float
    fit_codec: Callable[[Any, Any, int], tuple[Any, int]]
    published_sizes: Mapping[str, Callable[[], Any]]
    published: Published | None = None
    native_loader: str | None = None
    convert_base: Callable[[Mapping[str, torch.Tensor], Path], None] | None = None
    native_weights: Callable[[Mapping[str, torch.Tensor]], dict[str, torch.Tensor]] | None = None


def backbone_names() -> list[str]:
    """Every backbone's name: the folders beside this file."""
    here = Path(__file__).parent
    return sorted(path.parent.name for path in here.glob("*/__init__.py"))


@cache
def get_backbone(name: str) -> Backbone:
    """The backbone of that name, imported now if it was not before.

    Raises BackboneUnknown: there is no such folder.
    """
    if name not in backbone_names():
        raise BackboneUnknown(
            f"Expected a backbone of {', '.join(backbone_names())}, received {name!r}: choose one, or update MotionRAG."
        )
    module = importlib.import_module(f"{__name__.rpartition('.')[0]}.{name}")
    found: Backbone = module.BACKBONE
    return found


def all_backbones() -> list[Backbone]:
    """Every backbone, in the order in which they came."""
    return sorted(map(get_backbone, backbone_names()), key=lambda backbone: backbone.number)

"""Load a video model in diffusers' folder layout, with a pack's motion adapter beside it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.injection import require_fit
from motionrag_nodes.backbones.backbone import Backbone, all_backbones, get_backbone
from motionrag_nodes.backbones.diffusers_models import locate, pipeline_class
from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.errors import VideoModelNotFound
from motionrag_nodes.frames.base_weights import replace_base_weights

if TYPE_CHECKING:
    from collections.abc import Mapping


class PackConfig(Protocol):
    """The backbone's name, and how its model is sampled."""

    @property
    def backbone(self) -> str: ...

    @property
    def generation(self) -> Settings: ...


class PackOfModel(Protocol):
    """A motion pack, as far as this stage needs it."""

    device: str

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def config(self) -> PackConfig: ...

    @property
    def adapter(self) -> MotionAdapter: ...

    @property
    def base_source(self) -> Path | str: ...

    def base_attention_state(self) -> Mapping[str, torch.Tensor]: ...


@dataclass(frozen=True)
class VideoModel:
    """A video model that motion can be injected into.

    `adapter` is in the pipeline's precision and on its device; without a pack there is none, and only the plain model
    runs. `defaults` are the settings that the model was trained for.
    """

    backbone: Backbone
    pipeline: Any
    adapter: MotionAdapter | None
    pack: PackOfModel | None
    defaults: Settings
    source: str


def load_video_model(
    source: str | Path | None,
    *,
    pack: PackOfModel | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> VideoModel:
    """Load a pipeline of diffusers from a local folder or, by its name, from the local hub cache.

    `source` None takes the model that the pack names. Nothing is downloaded, and only safetensors files are read.

    Raises:
        VideoModelNotFound: there is no such model on this machine, or it is of another kind.
        AdapterMismatch: the model lacks the attentions that the pack's adapter was trained for.
    """
    located = pack.base_source if source is None and pack is not None else source
    if located is None:
        raise VideoModelNotFound(
            "Expected a folder or name of a video model, or a pack that names one; received neither."
        )
    backbone = _backbone_of(located) if pack is None else get_backbone(pack.config.backbone)
    pipeline = backbone.load(located, dtype=dtype)
    adapter = None if pack is None else _with_pack(backbone, pipeline, pack, device=device, dtype=dtype)
    pipeline.to(device)
    return VideoModel(
        backbone=backbone,
        pipeline=pipeline,
        adapter=adapter,
        pack=pack,
        defaults=backbone.defaults(pipeline) if pack is None else pack.config.generation,
        source=str(located),
    )


def _with_pack(
    backbone: Backbone, pipeline: Any, pack: PackOfModel, *, device: str, dtype: torch.dtype
) -> MotionAdapter:
    """The pack's adapter, after it was found to fit every denoiser; those get the pack's weights of the base."""
    # A copy where precision or place differ: the pack's own weights stay float32 for whoever shares it.
    same = dtype == torch.float32 and torch.device(device) == torch.device(pack.device)
    adapter = pack.adapter if same else copy.deepcopy(pack.adapter).to(device, dtype)
    replaced = pack.base_attention_state()
    for denoiser in backbone.denoisers(pipeline):
        require_fit(backbone.hosts(denoiser), adapter)
        replace_base_weights(denoiser, replaced, root=backbone.root, sites=adapter.sites)
    return adapter


def _backbone_of(source: str | Path) -> Backbone:
    """The backbone whose pipeline a folder, or a model in the local hub cache, names. Raises VideoModelNotFound."""
    folder = locate(source)
    backbones = all_backbones()
    received = pipeline_class(folder, parts=backbones[0].parts)
    for backbone in backbones:
        if received in backbone.pipelines:
            return backbone
    known = " or ".join(name for backbone in backbones for name in backbone.pipelines)
    raise VideoModelNotFound(f"Expected a {known} at {folder}, found {received}: choose a model of such a kind.")

"""Load a video model in diffusers' folder layout, with a pack's motion adapter beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
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
from motionrag_nodes.frames.placement import NONE, manage, place, require_offload, require_precision
from motionrag_nodes.residence import Residence, Resident, best_precision

if TYPE_CHECKING:
    from collections.abc import Mapping


class PackConfig(Protocol):
    """The backbone's name, and how its model is sampled."""

    @property
    def backbone(self) -> str:
        """The name of the base model."""
        ...

    @property
    def generation(self) -> Settings:
        """How the pack was trained to generate."""
        ...


class PackOfModel(Protocol):
    """A motion pack, as far as this stage needs it."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of all that the pack holds."""
        ...

    @property
    def config(self) -> PackConfig:
        """What pack.json says."""
        ...

    @property
    def adapter(self) -> MotionAdapter:
        """In float32."""
        ...

    @property
    def base_source(self) -> Path | str:
        """The base model: a folder, or a name of the hub."""
        ...

    def base_attention_state(self) -> Mapping[str, torch.Tensor]:
        """Weights of the base that the pack replaces, by the base's keys."""
        ...


@dataclass(frozen=True)
class VideoModel:
    """A video model that motion can be injected into.

    `adapter` is in the pipeline's precision; without a pack there is none, and only the plain model runs. `defaults`
    are the settings that the model was trained for. `residence` moves the adapter, and the models where they have no
    hooks of their own.
    """

    backbone: Backbone
    pipeline: Any
    adapter: MotionAdapter | None
    pack: PackOfModel | None
    defaults: Settings
    source: str
    residence: Residence = field(default_factory=Resident)


def load_video_model(
    source: str | Path | None,
    *,
    pack: PackOfModel | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    offload: str = NONE,
    residence: Residence | None = None,
) -> VideoModel:
    """Load a pipeline of diffusers from a local folder or, by its name, from the local hub cache.

    `source` None takes the model that the pack names. Nothing is downloaded, and only safetensors files are read.
    dtype: left out, bfloat16 where the device has it, see `best_precision`. offload: one of OFFLOADS, what waits in
    the computer's memory while it is not used. `residence` moves the models instead of both, as ComfyUI's nodes ask.

    Raises VideoModelNotFound: there is no such model on this machine, or it is of another kind. AdapterMismatch: the
    model lacks the attentions that the pack's adapter was trained for. PrecisionUnsupported: the device cannot compute
    in it. InvalidSetting: there is no such level of offload.
    """
    device = torch.device(device) if residence is None else residence.device
    dtype = best_precision(device) if dtype is None else dtype
    require_precision(dtype, device)
    require_offload(offload, device)
    located = pack.base_source if source is None and pack is not None else source
    if located is None:
        raise VideoModelNotFound(
            "Expected a folder or name of a video model, or a pack that names one, received neither: give one of them."
        )
    backbone = _backbone_of(located) if pack is None else get_backbone(pack.config.backbone)
    pipeline = backbone.load(located, dtype=dtype)
    adapter = None if pack is None else _with_pack(backbone, pipeline, pack, shared=device.type == "cpu", dtype=dtype)
    if residence is None:
        residence = place(pipeline, adapter, device=device, offload=offload)
    else:
        manage(pipeline, residence, denoisers=backbone.denoisers(pipeline), adapter=adapter)
    return VideoModel(
        backbone=backbone,
        pipeline=pipeline,
        adapter=adapter,
        pack=pack,
        defaults=backbone.defaults(pipeline) if pack is None else pack.config.generation,
        source=str(located),
        residence=residence,
    )


def _with_pack(
    backbone: Backbone, pipeline: Any, pack: PackOfModel, *, shared: bool, dtype: torch.dtype
) -> MotionAdapter:
    """The pack's adapter, after it was found to fit every denoiser; those get the pack's weights of the base."""
    # A copy where precision or place differ: the pack's own weights stay float32 on the CPU for whoever shares it.
    shared = shared and dtype == torch.float32
    adapter = pack.adapter if shared else _in_precision(pack.adapter, dtype)
    replaced = pack.base_attention_state()
    for denoiser in backbone.denoisers(pipeline):
        require_fit(backbone.hosts(denoiser), adapter)
        replace_base_weights(denoiser, replaced, root=backbone.root, sites=adapter.sites)
    return adapter


def _in_precision(adapter: MotionAdapter, dtype: torch.dtype) -> MotionAdapter:
    """A copy; made of the weights one by one, since the whole in float32 again may be gigabytes."""
    with torch.device("meta"):
        made = MotionAdapter(token_dim=adapter.token_dim, site_dims=adapter.site_dims, root=adapter.root)
    state = {key: value.to(dtype, copy=True) for key, value in adapter.state_dict().items()}
    made.load_state_dict(state, strict=True, assign=True)
    return made.eval().requires_grad_(False)


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

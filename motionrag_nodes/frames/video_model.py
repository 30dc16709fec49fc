"""Load a Stable Video Diffusion model in diffusers' folder layout, with a pack's motion adapter beside it."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.injection import attach_motion
from motionrag_nodes.errors import MotionMismatch, VideoModelNotFound
from motionrag_nodes.frames.settings import GenerateSettings

if TYPE_CHECKING:
    from diffusers import StableVideoDiffusionPipeline

    from motionrag_nodes.checkpoints.pack import MotionPack

logger = logging.getLogger(__name__)

PIPELINE_CLASS = "StableVideoDiffusionPipeline"
WEIGHTS_STEM = "diffusion_pytorch_model"


@dataclass(frozen=True)
class VideoModel:
    """A video model that motion can be injected into.

    `adapter` is in the pipeline's precision and on its device; without a pack there is none, and only the plain model
    runs. `defaults` are the settings that the model was trained for.
    """

    pipeline: StableVideoDiffusionPipeline
    adapter: MotionAdapter | None
    pack_name: str | None
    defaults: GenerateSettings
    source: str


def load_video_model(
    source: str | Path | None,
    *,
    pack: MotionPack | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> VideoModel:
    """Load a StableVideoDiffusionPipeline from a local folder or, by its name, from the local hub cache.

    `source` None takes the model that the pack names. Nothing is downloaded, and only safetensors files are read.

    Raises:
        VideoModelNotFound: there is no such model on this machine, or it is of another kind.
        MotionMismatch: the pack is for another kind of model.
        AdapterMismatch: the model has not the attentions that the pack's adapter was trained for.
    """
    if pack is not None and pack.config.backbone != "svd":
        raise MotionMismatch(
            f"Expected a pack for Stable Video Diffusion (backbone svd), but pack {pack.name} is for "
            f"{pack.config.backbone}: load another pack."
        )
    if source is None and pack is None:
        raise VideoModelNotFound(
            "Expected a folder or name of a video model, or a pack that names one; received neither."
        )
    located = source if source is not None else pack.base_source
    pipeline = _load_pipeline(located, dtype)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    adapter = None
    if pack is not None:
        # A copy where precision or place differ: the pack's own weights stay float32 for whoever shares it.
        same = dtype == torch.float32 and torch.device(device) == torch.device(pack.device)
        adapter = pack.adapter if same else copy.deepcopy(pack.adapter).to(device, dtype)
        with attach_motion(pipeline.unet, adapter):
            logger.debug("the adapter of %s fits %s", pack.name, located)
    return VideoModel(
        pipeline=pipeline,
        adapter=adapter,
        pack_name=None if pack is None else pack.name,
        defaults=_published_defaults(pipeline)
        if pack is None
        else GenerateSettings.from_defaults(pack.config.generation),
        source=str(located),
    )


def _published_defaults(pipeline: StableVideoDiffusionPipeline) -> GenerateSettings:
    """The pipeline's own defaults (stabilityai/stable-video-diffusion-img2vid)."""
    return GenerateSettings(
        width=1024,
        height=576,
        frames=pipeline.unet.config.num_frames,
        fps=7,
        steps=25,
        min_guidance=1.0,
        max_guidance=3.0,
    )


def _load_pipeline(source: str | Path, dtype: torch.dtype) -> StableVideoDiffusionPipeline:
    from diffusers import StableVideoDiffusionPipeline

    folder = Path(source)
    if folder.is_dir():
        _require_pipeline(folder)
    elif folder.is_absolute() or str(source).startswith("."):
        raise VideoModelNotFound(f"Expected a folder in diffusers' layout at {source}, found none: correct the path.")
    try:
        with warnings.catch_warnings():
            # Newer diffusers call it dtype; the older versions that users have with ComfyUI know only this name.
            warnings.filterwarnings("ignore", message=".*torch_dtype.*")
            return StableVideoDiffusionPipeline.from_pretrained(
                str(source),
                torch_dtype=dtype,
                local_files_only=True,
                use_safetensors=True,
                variant=_variant(folder),
            )
    except (OSError, ValueError) as error:
        raise VideoModelNotFound(
            f"Expected the video model {source} as a diffusers folder with safetensors files, or in the local hub "
            f"cache; it could not be loaded: {error}. Fetch it once: huggingface-cli download {source}"
        ) from error


def _require_pipeline(folder: Path) -> None:
    index = folder / "model_index.json"
    try:
        received = json.loads(index.read_text(encoding="utf-8")).get("_class_name")
    except (OSError, ValueError, AttributeError) as error:
        raise VideoModelNotFound(
            f"Expected a diffusers folder with model_index.json at {folder}, found none: choose the folder that holds "
            "unet, vae, image_encoder, scheduler and feature_extractor."
        ) from error
    if received != PIPELINE_CLASS:
        raise VideoModelNotFound(f"Expected a {PIPELINE_CLASS} at {folder}, found {received}: choose an SVD model.")


def _variant(folder: Path) -> str | None:
    """ "fp16" for a folder that holds the published model's half-precision files only."""
    unet = folder / "unet"
    half, full = unet / f"{WEIGHTS_STEM}.fp16.safetensors", unet / f"{WEIGHTS_STEM}.safetensors"
    return "fp16" if half.is_file() and not full.is_file() else None

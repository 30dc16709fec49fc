"""DynamiCrafter's base model as a folder of safetensors: written by conversion, read at run time.

model_index.json                      which pipeline this is
unet/          config.json, diffusion_pytorch_model.safetensors
vae/           diffusers' AutoencoderKL
clip/          open_clip's ViT-H-14, text and vision
image_resampler/  config.json, model.safetensors: 16 tokens for each frame from the vision tower's features
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from index_builder.errors import ModelFilesRefused
from index_builder.features.open_clip_model import load_open_clip
from index_builder.model_files.diffusers_settings import require_component_folder
from index_builder.model_files.folder import require_plain_folder
from index_builder.model_files.settings_file import read_settings, require_keys, require_layers
from index_builder.model_files.weights import read_weights, require_fit, weights_files
from motionrag_nodes.backbones.dynamicrafter.conditions import PictureTokens, TextTokens
from motionrag_nodes.backbones.dynamicrafter.model import DynamiCrafterPipeline
from motionrag_nodes.backbones.dynamicrafter.pipeline import PIPELINE
from motionrag_nodes.backbones.dynamicrafter.sampler import make_scheduler
from motionrag_nodes.backbones.dynamicrafter.unet import DynamiCrafterUNet, UNetConfig
from motionrag_nodes.motion_tokens.resampler import Resampler, ResamplerConfig

UNET_FILE = "unet/diffusion_pytorch_model.safetensors"
RESAMPLER_FILE = "image_resampler/model.safetensors"

Config = TypeVar("Config", UNetConfig, ResamplerConfig)


def read_folder(folder: Path, *, dtype: torch.dtype) -> DynamiCrafterPipeline:
    """The pipeline, its models in `dtype` on the CPU and frozen.

    Raises ModelFilesRefused: the folder holds other files, settings or weights than such a model has.
    """
    require_plain_folder(folder)
    unet = _read(folder, UNET_FILE, UNetConfig, DynamiCrafterUNet, dtype)
    resampler = _read(folder, RESAMPLER_FILE, ResamplerConfig, Resampler, dtype)
    require_component_folder(folder / "vae", "AutoencoderKL")
    try:
        vae = AutoencoderKL.from_pretrained(
            folder / "vae", use_safetensors=True, local_files_only=True, torch_dtype=dtype
        )
        clip, tokenizer = load_open_clip(folder / "clip")
    except OSError as error:
        raise ModelFilesRefused(
            f"Expected the parts vae and clip of DynamiCrafter in {folder}, found them incomplete ({error}): convert "
            "the checkpoint again."
        ) from error
    clip = clip.to(dtype)
    pipeline = DynamiCrafterPipeline(
        unet=unet,
        vae=vae,
        text_tokens=TextTokens(clip, tokenizer),
        picture_tokens=PictureTokens(clip.get_submodule("visual"), resampler),
        scheduler=make_scheduler(),
    )
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.eval().requires_grad_(False)
    return pipeline


def write_folder(
    folder: Path,
    *,
    unet: tuple[UNetConfig, Mapping[str, torch.Tensor]],
    resampler: tuple[ResamplerConfig, Mapping[str, torch.Tensor]],
    vae: AutoencoderKL,
    clip: tuple[Mapping[str, Any], Mapping[str, torch.Tensor]],
) -> None:
    """Write the parts, each its settings and weights, into a new or empty folder."""
    for file, (config, state) in ((UNET_FILE, unet), (RESAMPLER_FILE, resampler)):
        path = folder / file
        path.parent.mkdir(parents=True)
        (path.parent / "config.json").write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    vae.save_pretrained(folder / "vae")
    (folder / "clip").mkdir()
    settings = json.dumps({"model_cfg": clip[0]}, indent=2) + "\n"
    (folder / "clip" / "open_clip_config.json").write_text(settings, encoding="utf-8")
    save_file(
        {key: value.contiguous() for key, value in clip[1].items()}, folder / "clip" / "open_clip_model.safetensors"
    )
    (folder / "model_index.json").write_text(json.dumps({"_class_name": PIPELINE}) + "\n", encoding="utf-8")


def _read(folder: Path, file: str, kind: type[Config], module: Any, dtype: torch.dtype) -> Any:
    """One part by its settings and weights, strictly."""
    path = folder / file
    settings = path.parent / "config.json"
    values = read_settings(settings)
    require_keys(settings, values, [entry.name for entry in fields(kind)])
    require_layers(settings, values)
    try:
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        config = kind(**given)
        with torch.device("meta"):
            made = module(config)
        require_fit(made, weights_files(path.parent), what=f"the model in {path.parent}")
        state = {key: value.to(dtype) for key, value in read_weights(path).items()}
        made.load_state_dict(state, strict=True, assign=True)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, OSError, SafetensorError) as error:
        raise ModelFilesRefused(
            f"Expected settings and weights of one {module.__name__} in {path.parent}, received others "
            f"({str(error)[:300]}): convert the checkpoint again."
        ) from error
    return made

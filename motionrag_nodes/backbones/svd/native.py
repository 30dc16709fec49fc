"""Makes ComfyUI's own MODEL, CLIP_VISION and VAE from a Stable Video Diffusion folder in diffusers' layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import comfy.clip_vision
import comfy.latent_formats
import comfy.model_base
import comfy.model_detection
import comfy.model_management
import comfy.sd
import comfy.supported_models
import comfy.utils
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import Timestep
from comfy.model_patcher import ModelPatcher
from safetensors.torch import load_file
from torch import nn

from index_builder.border import read_regular
from index_builder.model_files.diffusers_settings import require_diffusers_folder
from index_builder.model_files.settings_file import MAX_BYTES
from motionrag_nodes.backbones.svd.native_names import UNetLayout
from motionrag_nodes.backbones.svd.pipeline import COMPONENTS
from motionrag_nodes.errors import VideoModelNotFound
from motionrag_nodes.state_check import state_problems

_VISION_PREFIX = "vision_model."


def load_native_base(folder: Path) -> tuple[ModelPatcher, comfy.clip_vision.ClipVisionModel, comfy.sd.VAE]:
    """MODEL, CLIP_VISION and VAE of a StableVideoDiffusionPipeline's folder, whatever its sizes.

    Raises VideoModelNotFound: a part is missing, or is not built as Stable Video Diffusion is. AdapterMismatch: the
    UNet has parts that no SVD has. ModelFilesRefused: the folder holds code, pickles, or settings of something else.
    """
    require_diffusers_folder(folder, pipeline="StableVideoDiffusionPipeline", components=COMPONENTS)
    vae = DiffusersVAE(_load_codec(folder))
    return load_native_unet(folder, latent_scale=vae.first_stage_model.scaling_factor), _load_vision(folder), vae


def load_native_unet(folder: Path, *, latent_scale: float) -> ModelPatcher:
    """The UNet, with its scheduler's range of noise and its codec's scale of latents. Raises as `load_native_base`."""
    config = _read_json(folder / "unet" / "config.json")
    diffusers_state = _read_weights(folder / "unet", "diffusion_pytorch_model")
    layout = UNetLayout.of_diffusers(diffusers_state)
    state = {layout.native_name(key): value for key, value in diffusers_state.items()}
    detected = comfy.model_detection.detect_unet_config(state, "")
    settings = comfy.supported_models.SVD_img2vid(detected)
    settings.unet_config["num_head_channels"] = _head_channels(config)
    settings.latent_format = _latent_format(latent_scale, channels=config["out_channels"])
    scheduler = _read_json(folder / "scheduler" / "scheduler_config.json")
    settings.sampling_settings = {"sigma_min": scheduler["sigma_min"], "sigma_max": scheduler["sigma_max"]}
    _choose_precision(settings, state)
    model = comfy.model_base.SVD_img2vid(settings)
    problems = state_problems(model.diffusion_model, state)
    if problems:
        raise VideoModelNotFound(
            f"Expected the UNet of a Stable Video Diffusion model in {folder}, found one that is built otherwise: "
            f"{'; '.join(problems[:5])}. Choose another folder."
        )
    model.diffusion_model.load_state_dict(state)
    model.embedder = Timestep(config["addition_time_embed_dim"])
    _take_epsilons(model.diffusion_model, config, layout)
    return ModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


class DiffusersVAE(comfy.sd.VAE):
    """ComfyUI's VAE around a codec of diffusers: SVD's own, or one with other groups than ComfyUI's builds."""

    def __init__(self, codec: Any) -> None:
        # The only kind that ComfyUI builds without weights of its own; everything that it sets for it is set again.
        super().__init__(sd={"pixel_space_vae": torch.tensor(1.0)})
        self.first_stage_model = _DiffusersCodec(codec).to(self.vae_dtype)
        widths = codec.config.block_out_channels
        ratio = self.downscale_ratio = self.upscale_ratio = 2 ** (len(widths) - 1)
        self.latent_channels = codec.config.latent_channels
        # ComfyUI's own estimates for SVD's codec, whose first level has 128 channels.
        scale = widths[0] / 128
        self.memory_used_encode = lambda shape, dtype: 1767 * scale * shape[2] * shape[3] * dtype.itemsize
        self.memory_used_decode = lambda shape, dtype: 2178 * scale * shape[2] * shape[3] * ratio**2 * dtype.itemsize
        self.size = comfy.model_management.module_size(self.first_stage_model)
        self.patcher = ModelPatcher(
            self.first_stage_model,
            load_device=self.device,
            offload_device=comfy.model_management.vae_offload_device(),
        )


class _DiffusersCodec(nn.Module):
    """encode and decode as ComfyUI calls them: pixels in [-1, 1], latents before any scaling."""

    def __init__(self, codec: Any) -> None:
        super().__init__()
        self.codec: Any = codec
        self.scaling_factor: float = codec.config.scaling_factor
        # SVD's decoder smooths over the frames that it is given at once, and must know their number.
        self._temporal = hasattr(codec.decoder, "time_conv_out")

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> [B, C, h, w]"""
        latents: torch.Tensor = self.codec.encode(pixels).latent_dist.mode()
        return latents

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """[T, C, h, w] -> [T, 3, H, W]"""
        known = {"num_frames": len(latents)} if self._temporal else {}
        pixels: torch.Tensor = self.codec.decode(latents, **known).sample
        return pixels


def _latent_format(scale: float, *, channels: int) -> comfy.latent_formats.LatentFormat:
    """SVD's own latents have previews while they are sampled; of another codec's nobody knows the colours.

    ComfyUI gives the empty latents of its own nodes, which have SVD's 4 channels, as many as are said here.
    """
    published = comfy.latent_formats.SD15()
    if scale == published.scale_factor and channels == published.latent_channels:
        return published
    plain = comfy.latent_formats.LatentFormat()
    plain.scale_factor, plain.latent_channels = scale, channels
    return plain


def _choose_precision(settings: Any, state: dict[str, torch.Tensor]) -> None:
    """As ComfyUI's own loader chooses it."""
    parameters, weights = comfy.utils.calculate_parameters(state), comfy.utils.weight_dtype(state)
    supported = list(settings.supported_inference_dtypes)
    dtype = comfy.model_management.unet_dtype(model_params=parameters, supported_dtypes=supported, weight_dtype=weights)
    device = comfy.model_management.get_torch_device()
    settings.set_inference_dtype(dtype, comfy.model_management.unet_manual_cast(dtype, device, supported))


def _head_channels(config: dict[str, Any]) -> int:
    heads = config["num_attention_heads"]
    widths = config["block_out_channels"]
    sizes = {w / h for w, h in zip(widths, [heads] * len(widths) if isinstance(heads, int) else heads, strict=True)}
    if len(sizes) != 1:
        raise VideoModelNotFound(
            f"Expected attention heads of one size in all levels, as SVD's, received {heads} heads for {widths} "
            "channels: this model runs through Load Video Model (diffusers) alone."
        )
    return int(sizes.pop())


def _take_epsilons(unet: nn.Module, config: dict[str, Any], layout: UNetLayout) -> None:
    """Diffusers normalises some layers with another epsilon than ComfyUI, which moves the output by 2e-4."""
    from diffusers import UNetSpatioTemporalConditionModel

    with torch.device("meta"):
        theirs = UNetSpatioTemporalConditionModel.from_config(config)
    for name, module in theirs.named_modules():
        if isinstance(module, (nn.GroupNorm, nn.LayerNorm)):
            ours: Any = unet.get_submodule(layout.native_name(name))
            ours.eps = module.eps


def _load_vision(folder: Path) -> comfy.clip_vision.ClipVisionModel:
    path = folder / "image_encoder"
    _read_json(path / "config.json")
    vision = comfy.clip_vision.ClipVisionModel(str(path / "config.json"))
    weights = _read_weights(path, "model")
    # Newer versions of transformers save the tower's keys without its name.
    prefixed = any(key.startswith(_VISION_PREFIX) for key in weights)
    state = {
        key if prefixed or key.startswith("visual_projection.") else _VISION_PREFIX + key: value
        for key, value in weights.items()
        if not key.endswith("position_ids")
    }
    problems = state_problems(vision.model, state)
    if problems:
        raise VideoModelNotFound(
            f"Expected a CLIP vision model in {path}, found another: {'; '.join(problems[:5])}. Choose another folder."
        )
    vision.load_sd(state)
    return vision


def _load_codec(folder: Path) -> nn.Module:
    import diffusers

    config = _read_json(folder / "vae" / "config.json")
    kinds = ("AutoencoderKL", "AutoencoderKLTemporalDecoder")
    if config.get("_class_name") not in kinds:
        raise VideoModelNotFound(
            f"Expected {' or '.join(kinds)} in {folder / 'vae'}, found {config.get('_class_name')}: "
            "choose a Stable Video Diffusion model."
        )
    codec = getattr(diffusers, config["_class_name"]).from_config(config)
    codec.load_state_dict(_read_weights(folder / "vae", "diffusion_pytorch_model"))
    frozen: nn.Module = codec.eval().requires_grad_(False)
    return frozen


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(read_regular(path, most_bytes=MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise VideoModelNotFound(
            f"Expected a readable {path.name} at {path}, found none: {error}. Choose a folder that holds unet, vae, "
            "image_encoder and scheduler."
        ) from error
    return values


def _read_weights(folder: Path, stem: str) -> dict[str, torch.Tensor]:
    """The full-precision file if there is one, else the half-precision one; either may be split into several."""
    for name in (stem, f"{stem}.fp16"):
        whole, parts = folder / f"{name}.safetensors", sorted(folder.glob(f"{name}-*-of-*.safetensors"))
        if whole.is_file():
            return load_file(whole)
        if parts:
            return {key: value for path in parts for key, value in load_file(path).items()}
    raise VideoModelNotFound(
        f"Expected {stem}.safetensors or {stem}.fp16.safetensors in {folder}, found neither: download the model's "
        "safetensors files."
    )

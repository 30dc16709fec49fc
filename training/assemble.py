"""The last stage: every trained model, in half precision, into one motion pack that loads like any other."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, StableVideoDiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from index_builder.features.encoders import EncoderSpec, fingerprint_encoder
from index_builder.features.preprocessing import Preprocessing
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer
from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.checkpoints.pack import write_pack
from motionrag_nodes.checkpoints.pack_config import AdapterConfig, PackConfig
from training import sizes
from training.base import SIGMA_MAX, SIGMA_MIN
from training.stage1 import MotionInjection

CARD = Path(__file__).with_name("card.md")
GENERATION = get_backbone(sizes.BACKBONE).settings(
    width=sizes.SIZE_PIXELS, height=sizes.SIZE_PIXELS, frames=sizes.FRAMES, fps=sizes.FPS, steps=4,
    min_guidance=1.0, max_guidance=1.0, motion_bucket_id=127, noise_aug_strength=0.02,
)  # fmt: skip


@dataclass(frozen=True)
class TrainedModels:
    """Every model of the chain, as the stages left them."""

    codec: nn.Module
    scaling_factor: float
    retrieval: nn.Module
    motion_encoder: nn.Module
    appearance_encoder: nn.Module
    unet: nn.Module
    injection: MotionInjection
    context_transformer: ContextTransformer


def image_encoder_from(retrieval_state: dict[str, Tensor]) -> CLIPVisionModelWithProjection:
    """The retrieval encoder's vision tower as the CLIPVisionModelWithProjection that SVD's pipeline expects."""
    tower = sizes.RETRIEVAL_CONFIG["vision_cfg"]
    width, layers = tower["width"], tower["layers"]
    model = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, hidden_act="gelu",
            num_attention_heads=width // tower["head_width"], image_size=tower["image_size"],
            patch_size=tower["patch_size"], projection_dim=sizes.RETRIEVAL_CONFIG["embed_dim"],
        )
    )  # fmt: skip
    source = {k.removeprefix("visual."): v for k, v in retrieval_state.items() if k.startswith("visual.")}
    names = {
        "class_embedding": "embeddings.class_embedding",
        "conv1.weight": "embeddings.patch_embedding.weight",
        "positional_embedding": "embeddings.position_embedding.weight",
    }
    state = {f"vision_model.{new}": source[old] for old, new in names.items()}
    norms = [("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")]
    for i in range(layers):
        old, new = f"transformer.resblocks.{i}", f"encoder.layers.{i}"
        norms += [(f"{old}.ln_1", f"{new}.layer_norm1"), (f"{old}.ln_2", f"{new}.layer_norm2")]
        norms += [(f"{old}.mlp.c_fc", f"{new}.mlp.fc1"), (f"{old}.mlp.c_proj", f"{new}.mlp.fc2")]
        norms += [(f"{old}.attn.out_proj", f"{new}.self_attn.out_proj")]
        for kind in ("weight", "bias"):
            parts = source[f"{old}.attn.in_proj_{kind}"].chunk(3)
            for part, value in zip("qkv", parts, strict=True):
                state[f"vision_model.{new}.self_attn.{part}_proj.{kind}"] = value
    for old, new in norms:
        for kind in ("weight", "bias"):
            state[f"vision_model.{new}.{kind}"] = source[f"{old}.{kind}"]
    state["visual_projection.weight"] = source["proj"].T
    expected = model.state_dict().keys()
    renamed = {k if k in expected else k.removeprefix("vision_model."): v.contiguous() for k, v in state.items()}
    missing, unexpected = model.load_state_dict(renamed, strict=False)
    if unexpected or any("position_ids" not in key for key in missing):
        raise ValueError(f"the vision tower's keys do not match, missing {missing}, unexpected {unexpected}")
    return model.eval()


def video_scheduler() -> EulerDiscreteScheduler:
    """SVD's own, but for the most noise."""
    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
        sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX, steps_offset=1, timestep_spacing="leading",
        timestep_type="continuous", use_karras_sigmas=True,
    )  # fmt: skip


def write_base(
    folder: Path, *, codec: nn.Module, unet: nn.Module, image_encoder: nn.Module, scaling_factor: float
) -> None:
    """A diffusers folder in the published model's layout."""
    codec.register_to_config(scaling_factor=scaling_factor)
    pipeline = StableVideoDiffusionPipeline(
        vae=codec,
        image_encoder=image_encoder,
        unet=unet,
        scheduler=video_scheduler(),
        feature_extractor=CLIPImageProcessor(crop_size=224, size={"shortest_edge": 224}),
    )
    pipeline.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    pipeline.to(torch.float32)


def write_encoders(
    folder: Path, *, retrieval: nn.Module, motion: nn.Module, appearance: nn.Module
) -> dict[str, EncoderSpec]:
    """The three encoders in their libraries' own folder layouts; returns their specs with fingerprints."""
    retrieval_folder = folder / "encoders" / "retrieval"
    retrieval_folder.mkdir(parents=True)
    config = {
        "model_cfg": sizes.RETRIEVAL_CONFIG,
        "preprocess_cfg": {"mean": list(sizes.CLIP_MEAN), "std": list(sizes.CLIP_STD)},
    }
    (retrieval_folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = {k: v.half().contiguous() for k, v in retrieval.state_dict().items()}
    save_file(weights, retrieval_folder / "open_clip_model.safetensors")
    for name, model in (("motion", motion), ("appearance", appearance)):
        model.half().save_pretrained(folder / "encoders" / name, safe_serialization=True)
        model.float()
    plan = {
        "retrieval": ("open_clip", sizes.RETRIEVAL_PREPROCESSING),
        "motion": ("videomae", sizes.MOTION_PREPROCESSING),
        "appearance": ("dinov2", sizes.APPEARANCE_PREPROCESSING),
    }
    return {name: _spec(folder, name, kind, pixels) for name, (kind, pixels) in plan.items()}


def _spec(folder: Path, name: str, kind: str, preprocessing: Preprocessing) -> EncoderSpec:
    source = f"encoders/{name}"
    return EncoderSpec(kind, source, preprocessing, fingerprint_encoder(kind, folder / source, preprocessing))


def assemble(models: TrainedModels, target: Path, *, record: dict[str, Any], plots: Sequence[Path]) -> None:
    """Write the tiny pack to `target`, in place of an older one; `record` and `plots` become its card."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        specs = write_encoders(
            folder, retrieval=models.retrieval, motion=models.motion_encoder, appearance=models.appearance_encoder
        )
        write_base(
            folder / "base",
            codec=models.codec,
            unet=models.unet,
            image_encoder=image_encoder_from(models.retrieval.state_dict()),
            scaling_factor=models.scaling_factor,
        )
        (folder / "card").mkdir()
        shutil.copyfile(CARD, folder / "card" / "README.md")
        for plot in plots:
            shutil.copyfile(plot, folder / "card" / plot.name)
        (folder / "card" / "training.json").write_text(json.dumps(record, indent=2) + "\n")
        write_pack(
            target,
            config=PackConfig(
                name="tiny",
                backbone=sizes.BACKBONE,
                motion_resampler=sizes.MOTION_RESAMPLER,
                appearance_resampler=sizes.APPEARANCE_RESAMPLER,
                context_transformer=sizes.CONTEXT_TRANSFORMER,
                adapter=AdapterConfig(token_dim=sizes.TOKEN_DIM, sites=sizes.site_dims(models.unet)),
                encoders=specs,
                base="base",
                references=sizes.REFERENCES,
                generation=GENERATION,
            ),
            motion_resampler_state=models.injection.resampler.state_dict(),
            context_transformer_state=models.context_transformer.state_dict(),
            adapter_state=models.injection.adapter.state_dict(),
            folders={name: folder / name for name in ("encoders", "base", "card")},
            overwrite=True,
        )
